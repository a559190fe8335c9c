/** How the kernel's objects are marked as netmoor's, so that nobody else's is ever taken away. */

/** IFLA_IFALIAS of interfaces that are ours to remove; one that a person made has another alias, or none. */
export const ALIAS = 'netmoor';

/** Addresses that are ours to remove (IFA_PROTO, kernel 5.18; "proto 0x6d" in `ip address`). */
export const IFAPROT_NETMOOR = 0x6d;

/** Routes and routing rules that are ours to remove (rtm_protocol, FRA_PROTOCOL; "proto 109" in `ip rule`). */
export const RTPROT_NETMOOR = 0x6d;
