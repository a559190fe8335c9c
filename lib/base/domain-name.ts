/** Names of hosts and domains, as the network tells them: nothing else may get into a resolv.conf or a result. */

/** RFC 1035, section 2.3.4: without the dot at its end. */
const NAME_LIMIT = 253;
/** RFC 1123, section 2.1, and the underscore, which names of hosts have in the wild. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;

/** Whether labels make a name of a host. */
export function isHostName(labels: readonly string[]): boolean {
  return (
    labels.length > 0 && labels.join('.').length <= NAME_LIMIT && labels.every((label) => LABEL.test(label))
  );
}
