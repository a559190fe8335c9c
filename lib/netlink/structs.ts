/**
 * What is used of the `netlink` package: its codec of messages and attributes. Imported here alone, because the bundler copies
 * all names of a CommonJS module for every file that imports from it.
 */
export {
  AttrStream,
  formatAttribute,
  formatMessage,
  pad,
  parseAttributes,
  parseMessages,
  putU32,
  putU64,
} from 'netlink/dist/structs.js';
