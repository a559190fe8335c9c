/**
 * Options that the executable runs under, whatever its caller's NODE_OPTIONS say. V8 accepts a code cache only under
 * the very V8 options it was made with, so the build uses the same ones. None may change what a function compiles to:
 * the build puts their mark on code caches of Node.js that were made without them (see cache-marks.ts).
 */
export const NODE_FLAGS: readonly string[] = [
  // Computing new hash secrets and hashing every string of the start-up snapshot again takes a fifth of a start. They
  // protect against chosen object keys; here the keys come from the runtime that starts us as root, and their number is
  // bounded.
  '--no-rehash-snapshot',
  // No thread that waits for SIGUSR1 to open a debugger's port.
  '--disable-sigusr1',
  // Compiling and collecting in the background does not pay within milliseconds.
  '--v8-pool-size=1',
  // Whatever the host's openssl.cnf or OPENSSL_CONF say: a broken one would end us before the first line of ours, and
  // either may name code to load. Nothing here needs OpenSSL.
  '--openssl-config=/dev/null',
  // Room (MiB) for all that a one-shot program allocates, so that it ends before the first garbage collection.
  '--min-semi-space-size=32',
];

/**
 * The options as the executable carries them, before the caller's arguments. Node.js reads on behind them, for options
 * that say what to read before it starts (--env-file), unless this mark ends them; it takes the mark out. One option it
 * would look for behind the mark, too: see without-config-file.ts.
 */
export const EMBEDDED_ARGUMENTS: readonly string[] = [...NODE_FLAGS, '--'];
