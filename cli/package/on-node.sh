#!/bin/sh
# netmoor on the Node.js of the host, under the name that it is called by.
set -e
here=$(dirname "$(readlink -f "$0")")
# Nothing of the caller's surroundings reaches Node.js.
unset NODE_OPTIONS NODE_EXTRA_CA_CERTS NODE_PATH
for node in "$here/node" /usr/local/bin/node /usr/bin/node; do
    if [ -x "$node" ]; then
        exec "$node" --openssl-config=/dev/null --no-warnings "$here/lib/on-node.cjs" "${0##*/}" "$@"
    fi
done
echo "netmoor: there is no Node.js in /usr/local/bin or /usr/bin" >&2
exit 1
