/** Title and language of the document: screen readers announce both. */
import { language, texts } from '@/texts';

export function setTitle(title: string): void {
  document.title = title === texts.app ? title : `${title} · ${texts.app}`;
  document.documentElement.lang = language;
}
