/**
 * The tables of the embedded store, as numbered steps: `PRAGMA user_version` is the number of steps a file has behind
 * it. A released step is never edited; a change is a new step at the end.
 *
 * An attachment's addresses and ports are found through its record, so those tables need no index by attachment: each
 * index is one more page to flush with every ADD. `run` holds the taken and the lately released addresses of a scope as
 * maximal stretches, which is what makes finding a free one cost a single descent of a B-tree however many are taken.
 */
export const STEPS: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE network (name TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE attachment (
    id INTEGER PRIMARY KEY,
    container TEXT NOT NULL,
    ifname TEXT NOT NULL,
    network TEXT NOT NULL,
    plugin TEXT NOT NULL,
    bridge TEXT,
    boot TEXT NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX attachment_key ON attachment (container, ifname, network);
  CREATE INDEX attachment_network ON attachment (network);
  CREATE INDEX attachment_bridge ON attachment (bridge) WHERE bridge IS NOT NULL;

  CREATE TABLE address (
    scope TEXT NOT NULL,
    address BLOB NOT NULL,
    attachment INTEGER NOT NULL,
    PRIMARY KEY (scope, address)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE run (
    scope TEXT NOT NULL,
    first BLOB NOT NULL,
    last BLOB NOT NULL,
    PRIMARY KEY (scope, first)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE released (
    scope TEXT NOT NULL,
    turn INTEGER NOT NULL,
    address BLOB NOT NULL,
    PRIMARY KEY (scope, turn)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE cursor (
    scope TEXT NOT NULL,
    range TEXT NOT NULL,
    address BLOB NOT NULL,
    PRIMARY KEY (scope, range)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE port (
    protocol TEXT NOT NULL,
    first INTEGER NOT NULL,
    family INTEGER NOT NULL,
    host BLOB NOT NULL,
    count INTEGER NOT NULL,
    attachment INTEGER NOT NULL,
    PRIMARY KEY (protocol, first, family, host)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX port_count ON port (protocol, count);
  `,
  // The bridge became one kind of segment; a record may be another machine's.
  `
  DROP INDEX attachment_bridge;
  ALTER TABLE attachment RENAME COLUMN bridge TO segment;
  ALTER TABLE attachment ADD COLUMN machine TEXT NOT NULL DEFAULT '';
  CREATE INDEX attachment_segment ON attachment (segment) WHERE segment IS NOT NULL;
  `,
  // What DHCP servers have leased, whichever plugin the interface is of. Those of another boot stay until they lapse:
  // the server holds them for the container that comes again.
  `
  CREATE TABLE dhcp_lease (
    container TEXT NOT NULL,
    ifname TEXT NOT NULL,
    network TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (container, ifname, network)
  ) STRICT, WITHOUT ROWID;
  `,
];
