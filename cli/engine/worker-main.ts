/** Where a thread of the engine starts. A bundle of its own in the executable (cli/build/bundle.ts). */
void import('./worker.ts').then(({ serveAsWorker }) => serveAsWorker());
