/** What the engine knows the servers by: asked for its CNI command STATUS, it says whether a network is served. */
export const NAME = 'dhcp-server';
