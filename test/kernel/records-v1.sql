BEGIN TRANSACTION;
CREATE TABLE address (
    scope TEXT NOT NULL,
    address BLOB NOT NULL,
    attachment INTEGER NOT NULL,
    PRIMARY KEY (scope, address)
  ) STRICT, WITHOUT ROWID;
INSERT INTO "address" VALUES('bridge nm-harbour',X'00000000000000000000FFFF0A4D0002',1);
INSERT INTO "address" VALUES('bridge nm-harbour',X'FD000077000000000000000000000002',1);
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
INSERT INTO "attachment" VALUES(1,'c1','eth0','harbour','bridge-nat','nm-harbour','@BOOT@','{"network":"harbour","containerId":"c1","ifname":"eth0","plugin":"bridge-nat","state":"attached","bootId":"@BOOT@","createdAt":1795283870227,"netns":{"path":"/run/netns/c1","inode":"@C1@"},"hostIfname":"nmv2de49aefe44","bridge":"nm-harbour","mac":"86:54:50:66:44:67","addresses":[{"address":"10.77.0.2/24","gateway":"10.77.0.1","scope":"bridge nm-harbour"},{"address":"fd00:77::2/64","gateway":"fd00:77::1","scope":"bridge nm-harbour"}],"ports":[{"protocol":"tcp","hostPort":8080,"containerPort":80,"count":1}],"detail":{"subnets":["10.77.0.0/24","fd00:77::/64"],"gateways":["10.77.0.1/24","fd00:77::1/64"],"routes":[{"dst":"0.0.0.0/0","gw":"10.77.0.1"},{"dst":"::/0","gw":"fd00:77::1"}],"masquerade":true,"ingressPolicy":"open","macSpoofCheck":false,"keepBridge":false,"hairpin":true,"isolated":false,"bandwidth":{"ingress":{"rate":8000000,"burst":800000},"egress":{"rate":8000000,"burst":800000}}}}');
INSERT INTO "attachment" VALUES(2,'c2','eth0','quay','bridge-nat','nm-quay','@BOOT@','{"network":"quay","containerId":"c2","ifname":"eth0","plugin":"bridge-nat","state":"attached","bootId":"@BOOT@","createdAt":1795283870443,"netns":{"path":"/run/netns/c2","inode":"@C2@"},"hostIfname":"nmv9f221889ed1","bridge":"nm-quay","mac":"7a:c3:fa:eb:2c:e2","addresses":[{"address":"10.78.0.2/24","gateway":"10.78.0.1"}],"ports":[],"detail":{"subnets":["10.78.0.0/24"],"gateways":["10.78.0.1/24"],"routes":[],"masquerade":true,"ingressPolicy":"open","macSpoofCheck":false,"keepBridge":false,"hairpin":false,"isolated":false,"delegate":{"type":"host-local","config":"{\"cniVersion\":\"1.0.0\",\"name\":\"quay\",\"type\":\"bridge-nat\",\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.78.0.0/24\"}}\n","path":["/usr/lib/cni"]}}}');
CREATE TABLE cursor (
    scope TEXT NOT NULL,
    range TEXT NOT NULL,
    address BLOB NOT NULL,
    PRIMARY KEY (scope, range)
  ) STRICT, WITHOUT ROWID;
INSERT INTO "cursor" VALUES('bridge nm-harbour','10.77.0.1-10.77.0.254',X'00000000000000000000FFFF0A4D0002');
INSERT INTO "cursor" VALUES('bridge nm-harbour','fd00:77::1-fd00:77::ffff:ffff:ffff:ffff',X'FD000077000000000000000000000002');
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('boot','@BOOT@');
CREATE TABLE network (name TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "network" VALUES('harbour','{"name":"harbour","plugin":"bridge-nat","bridge":"nm-harbour","subnets":["10.77.0.0/24","fd00:77::/64"],"automatic":false,"createdAt":1795283870227}');
INSERT INTO "network" VALUES('quay','{"name":"quay","plugin":"bridge-nat","bridge":"nm-quay","subnets":["10.78.0.0/24"],"automatic":false,"createdAt":1795283870443}');
CREATE TABLE port (
    protocol TEXT NOT NULL,
    first INTEGER NOT NULL,
    family INTEGER NOT NULL,
    host BLOB NOT NULL,
    count INTEGER NOT NULL,
    attachment INTEGER NOT NULL,
    PRIMARY KEY (protocol, first, family, host)
  ) STRICT, WITHOUT ROWID;
INSERT INTO "port" VALUES('tcp',8080,0,X'',1,1);
CREATE TABLE released (
    scope TEXT NOT NULL,
    turn INTEGER NOT NULL,
    address BLOB NOT NULL,
    PRIMARY KEY (scope, turn)
  ) STRICT, WITHOUT ROWID;
CREATE TABLE run (
    scope TEXT NOT NULL,
    first BLOB NOT NULL,
    last BLOB NOT NULL,
    PRIMARY KEY (scope, first)
  ) STRICT, WITHOUT ROWID;
INSERT INTO "run" VALUES('bridge nm-harbour',X'00000000000000000000FFFF0A4D0002',X'00000000000000000000FFFF0A4D0002');
INSERT INTO "run" VALUES('bridge nm-harbour',X'FD000077000000000000000000000002',X'FD000077000000000000000000000002');
CREATE UNIQUE INDEX attachment_key ON attachment (container, ifname, network);
CREATE INDEX attachment_network ON attachment (network);
CREATE INDEX attachment_bridge ON attachment (bridge) WHERE bridge IS NOT NULL;
CREATE INDEX port_count ON port (protocol, count);
COMMIT;
