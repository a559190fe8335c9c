/**
 * Who may import what: downward only, cli and hooks -> plugins/<x> -> lib/mooring -> lib/cni, ipam -> lib/netlink,
 * lib/nftables, lib/engine -> lib/system -> lib/base. Checked by `npm run check` (dependency-cruiser).
 */

/**
 * The storeys from the bottom up; what stands in one line does not import its neighbours, unless `alongside` says so.
 */
const STOREYS = [
  ['^lib/base/'],
  ['^lib/system/'],
  ['^lib/netlink/', '^lib/nftables/', '^lib/engine/'],
  ['^lib/cni/', '^ipam/'],
  ['^lib/mooring/'],
  ['^plugins/'],
  ['^hooks/', '^cli/'],
  ['^test/'],
];

const ALONGSIDE = [
  ['^lib/nftables/', '^lib/netlink/'],
  // cli/programs.ts lists all programs.
  ['^cli/', '^hooks/'],
];

/** For a folder, what it must not import: the storeys above, and those beside it. */
function rulesOf(folder, storey) {
  const beside = STOREYS[storey].filter(
    (other) => other !== folder && !ALONGSIDE.some(([from, to]) => from === folder && to === other),
  );
  const above = STOREYS.slice(storey + 1).flat();
  const forbidden = [...above, ...beside];
  if (forbidden.length === 0) return [];
  return [
    {
      name: `downward-only ${folder.slice(1)}`,
      severity: 'error',
      from: { path: folder },
      to: { path: forbidden },
    },
  ];
}

const LAYERS = STOREYS.flatMap((folders, storey) => folders.flatMap((folder) => rulesOf(folder, storey)));

const IO =
  '^(node:)?(child_process|cluster|dgram|dns|fs|fs/promises|http|https|net|process|sqlite|worker_threads)$';

const SLOW_BUILTINS =
  '^(node:)?(assert|child_process|crypto|dgram|dns|fs/promises|http|https|net|readline|stream|url|util|v8|worker_threads|zlib)$';

export default {
  forbidden: [
    ...LAYERS,
    {
      name: 'plugins-are-strangers',
      comment: 'What two plugins share belongs into lib or ipam.',
      severity: 'error',
      from: { path: '^plugins/([^/]+)/' },
      to: { path: '^plugins/', pathNot: '^plugins/$1/' },
    },
    {
      name: 'ipam-is-pure',
      comment:
        'Decisions about addresses are functions of their input; files and sockets are for ipam/store and ipam/dhcp.',
      severity: 'error',
      from: { path: '^ipam/', pathNot: '^ipam/(store|dhcp)/' },
      to: { path: [IO, '^lib/(system|netlink|nftables)/'] },
    },
    {
      name: 'slow-builtins',
      comment:
        'Loaded with the plugin, each costs milliseconds at every start: take process.getBuiltinModule where it is used.',
      severity: 'error',
      from: { path: '^(lib|ipam|plugins|hooks)/', pathNot: '^ipam/subnets\\.ts$' },
      to: { path: SLOW_BUILTINS, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'base-does-no-io',
      severity: 'error',
      from: { path: '^lib/base/' },
      to: { path: IO },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'netlink-core-codec-only',
      comment:
        'The package index costs 20 ms at start, its socket aborts the process on an error in a callback.',
      severity: 'error',
      from: { pathNot: '^(lib/netlink/structs\\.ts$|test/)' },
      to: { path: 'node_modules/netlink/' },
    },
    {
      name: 'netlink-structs-only',
      severity: 'error',
      from: { path: '^lib/netlink/structs\\.ts$' },
      to: { path: 'node_modules/netlink/', pathNot: 'node_modules/netlink/dist/structs\\.' },
    },
    {
      name: 'ip-cidr-off-the-hot-path',
      comment:
        'Costs 5 ms at start: for what is loaded when needed, the rare search for free subnets and what answers people.',
      severity: 'error',
      from: { pathNot: '^(ipam/(subnets|overlap)\\.ts$|cli/usage\\.ts$|test/)' },
      to: { path: 'node_modules/ip-cidr/' },
    },
    {
      name: 'development-packages',
      comment: 'What runs in production must not need what only builds or tests it.',
      severity: 'error',
      from: { path: '^(lib|ipam|plugins|hooks|cli)/', pathNot: '^cli/build/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: ['^node_modules', '^schemas/compiled'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json'] },
  },
};
