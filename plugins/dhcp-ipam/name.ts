/** The name of the executable, and of the type in configurations. */
export const PLUGIN = 'dhcp-ipam';
