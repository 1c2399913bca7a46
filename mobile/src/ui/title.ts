/** A device has no document whose title could be set. */
export function setTitle(_title: string): void {}
