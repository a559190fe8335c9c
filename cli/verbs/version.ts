/** netmoor version: what this executable is. */
import packageJson from '../../package.json' with { type: 'json' };
import { SUPPORTED_VERSIONS } from '../../lib/cni/versions.ts';
import type { Verb } from '../verb.ts';

export const verb: Verb = {
  about: 'Prints the version of netmoor, of the Node.js inside, and of the CNI protocols spoken.',
  options: [],
  run() {
    const view = {
      netmoor: packageJson.version,
      node: process.versions.node,
      cniVersions: SUPPORTED_VERSIONS,
    };
    const text = `netmoor ${view.netmoor}\nNode.js ${view.node}\nCNI ${view.cniVersions.join(' ')}\n`;
    return { json: view, text: () => text };
  },
};
