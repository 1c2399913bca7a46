/** On a device, nothing is displayed before the app. */
export function endFirstPaint(): void {}
