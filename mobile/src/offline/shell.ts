/** An installed app starts without a connection by itself. */
export function installShell(): void {}
