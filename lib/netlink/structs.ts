/**
 * What is used of the `netlink` package: its codec of messages. Imported here alone, because the bundler copies all
 * names of a CommonJS module for every file that imports from it. Its numbers are in uapi.ts again: as CommonJS objects
 * they would cost every start.
 */
export { formatMessage, parseMessages } from 'netlink/dist/structs.js';
