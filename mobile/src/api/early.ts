/** Requests that were sent before the app started; on a device there are none. */
export function takeEarly(_request: Request): Promise<Response> | null {
  return null;
}
