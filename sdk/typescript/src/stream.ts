import { networkError } from './error.js';

/** Returns the same stream, except that it fails with an OrgdError when the connection fails, and ends with the signal. */
export function guarded(body: ReadableStream<Uint8Array>, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let release = () => {};
  const source: UnderlyingDefaultSource<Uint8Array> = {
    start(controller) {
      const stop = () => {
        controller.error(signal?.reason);
        reader.cancel(signal?.reason).catch(() => undefined);
      };
      signal?.addEventListener('abort', stop, { once: true });
      release = () => signal?.removeEventListener('abort', stop);
    },
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        controller.close();
      } catch (e) {
        // Nothing happens if the signal has ended the stream meanwhile.
        controller.error(networkError(e, 'The answer broke off'));
      }
      release();
    },
    cancel(reason) {
      release();
      return reader.cancel(reason);
    },
  };
  return new ReadableStream(source, { highWaterMark: 0 });
}
