import { EventParser } from '@/api/sse';

const STREAM =
  'retry: 1000\n\n:comment\n\nid: 1-0\nevent: text\ndata: {"text":"ä"}\n\nevent: ready\ndata: a\ndata: b\n\n';

test('events are the same wherever the stream is cut', () => {
  const whole = new EventParser().push(STREAM);
  expect(whole).toEqual([
    { id: '1-0', name: 'text', data: '{"text":"ä"}' },
    { id: '1-0', name: 'ready', data: 'a\nb' },
  ]);
  for (let size = 1; size < STREAM.length; size++) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < STREAM.length; at += size) events.push(...parser.push(STREAM.slice(at, at + size)));
    expect(events).toEqual(whole);
  }
});

test('lines may end with CR LF, also when they are cut between the two', () => {
  const stream = STREAM.replaceAll('\n', '\r\n');
  for (let size = 1; size < 9; size++) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < stream.length; at += size) events.push(...parser.push(stream.slice(at, at + size)));
    expect(events).toEqual(new EventParser().push(STREAM));
  }
});

test('the server sets the delay before a reconnect', () => {
  const parser = new EventParser();
  parser.push('retry: 2500\n');
  expect(parser.retry).toBe(2500);
});
