/** No native tabs in a browser. */
export function isNativeTabTrigger() {
  return false;
}
