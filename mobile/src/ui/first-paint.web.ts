/**
 * Remove the rows that public/first-paint.js displays before the app, when a screen has rendered its own. The position
 * in the list and the focused link move to the app's rows.
 */
export function endFirstPaint(): void {
  if (globalThis.kingdomFirstPaint !== undefined) globalThis.kingdomFirstPaint.ended = true;
  const shown = document.getElementById('first-paint');
  const root = document.getElementById('root');
  if (shown === null || root === null) return;
  // A list positions its rows in renders that follow its first one, before the next frame.
  requestAnimationFrame(() => {
    const top = shown.querySelector('.feed')?.scrollTop ?? 0;
    const focused = shown.contains(document.activeElement) ? document.activeElement?.getAttribute('href') : null;
    root.inert = false;
    const list = top > 0 ? scroller(root) : null;
    // `scrollTo` of the element is react-native-web's.
    if (list !== null) list.scrollTop = top;
    if (focused) linkTo(root, focused)?.focus({ preventScroll: true });
    shown.remove();
  });
}

/** The scrolling element around the first row. */
function scroller(root: HTMLElement): Element | null {
  let element = root.querySelector('[role=article]')?.parentElement ?? null;
  while (element !== null && element !== root && !/auto|scroll/.test(getComputedStyle(element).overflowY))
    element = element.parentElement;
  return element === root ? null : element;
}

function linkTo(root: HTMLElement, href: string): HTMLElement | undefined {
  return [...root.querySelectorAll('a')].find((link) => link.getAttribute('href') === href);
}
