/*
 * The floor: what the kernel itself takes to attach and detach a container as netmoor does. The same requests as an
 * ADD and a DEL of the full chain that wants one IPv4 address, NAT and one published port, beside a bridge and tables
 * that are there already; nothing is looked at, nothing allocated, nothing checked.
 *
 *   floor ADD|DEL /run/netns/NAME NUMBER BRIDGE GATEWAY
 *
 * Layouts: linux/rtnetlink.h, linux/netfilter/nf_tables.h; the sets are those of lib/nftables/skeleton.ts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* As the store's commits: its log is overwritten in place before the change and after it, and flushed then. */
#define LOG "/var/lib/cni/floor.log"
#define COMMIT_BYTES (4 * 4096)

/* Datagrams of several messages; nests point back to where their lengths go. */
static struct {
  _Alignas(4) char bytes[4096];
  uint32_t length, message, sequence;
} out;

static void fail(const char *what) {
  fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint32_t put(const void *data, size_t length) {
  uint32_t at = out.length;
  memcpy(out.bytes + at, data, length);
  out.length += (uint32_t)((length + 3) & ~(size_t)3);
  return at;
}

static void end_message(void) {
  struct nlmsghdr *header = (void *)(out.bytes + out.message);
  header->nlmsg_len = out.length - out.message;
}

static void begin_message(unsigned type, unsigned flags, const void *body, size_t length) {
  struct nlmsghdr header = {.nlmsg_type = (uint16_t)type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};
  header.nlmsg_seq = ++out.sequence;
  out.message = put(&header, sizeof header);
  put(body, length);
}

static void attribute(unsigned type, const void *value, size_t length) {
  struct nlattr header = {.nla_len = (uint16_t)(sizeof header + length), .nla_type = (uint16_t)type};
  put(&header, sizeof header);
  put(value, length);
}

static void text(unsigned type, const char *value) { attribute(type, value, strlen(value) + 1); }

static uint32_t begin_nest(unsigned type) {
  struct nlattr header = {.nla_type = (uint16_t)(type | NLA_F_NESTED)};
  return put(&header, sizeof header);
}

static void end_nest(uint32_t at) {
  struct nlattr *nest = (void *)(out.bytes + at);
  nest->nla_len = (uint16_t)(out.length - at);
}

static int open_netlink(int protocol) {
  struct sockaddr_nl address = {.nl_family = AF_NETLINK};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("netlink");
  return fd;
}

/* Sends what was put together and takes that many acknowledgements. */
static void request(int fd, int acknowledgements, const char *what) {
  static _Alignas(4) char in[16384];
  if (send(fd, out.bytes, out.length, 0) < 0) fail(what);
  out.length = 0;
  while (acknowledgements > 0) {
    ssize_t received = recv(fd, in, sizeof in, 0);
    if (received < 0) fail(what);
    uint32_t left = (uint32_t)received;
    for (struct nlmsghdr *m = (void *)in; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
      if (m->nlmsg_type != NLMSG_ERROR) continue;
      errno = -((struct nlmsgerr *)NLMSG_DATA(m))->error;
      if (errno != 0) fail(what);
      acknowledgements--;
    }
  }
}

static void put_up(const char *name) {
  struct ifinfomsg up = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
  begin_message(RTM_NEWLINK, NLM_F_ACK, &up, sizeof up);
  text(IFLA_IFNAME, name);
  end_message();
}

/* The veth, its peer in the container. Nothing can be created up whose peer is being born elsewhere (veth_open). */
static void add_link(int fd, const char *name, const char *bridge, int netns) {
  struct ifinfomsg link = {0};
  int master = (int)if_nametoindex(bridge);
  begin_message(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
  text(IFLA_IFNAME, name);
  attribute(IFLA_MASTER, &master, sizeof master);
  uint32_t info = begin_nest(IFLA_LINKINFO);
  text(IFLA_INFO_KIND, "veth");
  uint32_t data = begin_nest(IFLA_INFO_DATA);
  uint32_t peer = begin_nest(VETH_INFO_PEER);
  put(&link, sizeof link);
  text(IFLA_IFNAME, "eth0");
  attribute(IFLA_NET_NS_FD, &netns, sizeof netns);
  end_nest(peer);
  end_nest(data);
  end_nest(info);
  end_message();
  put_up(name);
  request(fd, 2, "create the veth");
}

/* In the container: the address, the interface up, the default route. */
static void configure(int netns, struct in_addr address, struct in_addr gateway) {
  struct ifaddrmsg net = {.ifa_family = AF_INET, .ifa_prefixlen = 16};
  struct rtmsg route = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT,
                        .rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST};
  if (setns(netns, CLONE_NEWNET) < 0) fail("setns");
  int fd = open_netlink(NETLINK_ROUTE);
  net.ifa_index = if_nametoindex("eth0");
  begin_message(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &net, sizeof net);
  attribute(IFA_LOCAL, &address, sizeof address);
  attribute(IFA_ADDRESS, &address, sizeof address);
  end_message();
  put_up("eth0");
  begin_message(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &route, sizeof route);
  attribute(RTA_GATEWAY, &gateway, sizeof gateway);
  end_message();
  request(fd, 3, "address and route");
}

static void delete_link(int fd, const char *name) {
  struct ifinfomsg link = {0};
  begin_message(RTM_DELLINK, NLM_F_ACK, &link, sizeof link);
  text(IFLA_IFNAME, name);
  end_message();
  request(fd, 1, "delete the veth");
}

static void data(unsigned type, const void *value, size_t length) {
  uint32_t nest = begin_nest(type);
  attribute(NFTA_DATA_VALUE, value, length);
  end_nest(nest);
}

struct element {
  unsigned char family;
  const char *set;
  const void *key, *value;
  size_t key_length, value_length;
};

static void put_element(unsigned what, const struct element *e) {
  struct nfgenmsg body = {.nfgen_family = e->family, .version = NFNETLINK_V0};
  unsigned create = what == NFT_MSG_NEWSETELEM ? NLM_F_CREATE | NLM_F_EXCL : 0;
  begin_message(NFNL_SUBSYS_NFTABLES << 8 | what, NLM_F_ACK | create, &body, sizeof body);
  text(NFTA_SET_ELEM_LIST_TABLE, "netmoor");
  text(NFTA_SET_ELEM_LIST_SET, e->set);
  uint32_t list = begin_nest(NFTA_SET_ELEM_LIST_ELEMENTS);
  uint32_t element = begin_nest(NFTA_LIST_ELEM);
  data(NFTA_SET_ELEM_KEY, e->key, e->key_length);
  if (e->value && what == NFT_MSG_NEWSETELEM) data(NFTA_SET_ELEM_DATA, e->value, e->value_length);
  end_nest(element);
  end_nest(list);
  end_message();
}

static void put_mark(unsigned type) {
  struct nfgenmsg body = {.version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
  begin_message(type, 0, &body, sizeof body);
  end_message();
}

/* One transaction: what is masqueraded, the published port, which port of the bridge is a container's. */
static void change_elements(unsigned what, struct in_addr address, uint16_t number, const char *name) {
  struct { uint32_t protocol; uint16_t port, pad; } from = {.port = htons((uint16_t)(20000 + number))};
  struct { struct in_addr address; uint16_t port, pad; } to = {.address = address, .port = htons(80)};
  char ifname[IFNAMSIZ] = {0};
  *(unsigned char *)&from.protocol = IPPROTO_TCP;
  memcpy(ifname, name, strlen(name));
  struct element elements[] = {
      {.family = NFPROTO_INET, .set = "masq4", .key = &address, .key_length = sizeof address},
      {.family = NFPROTO_INET, .set = "publish4", .key = &from, .key_length = sizeof from, .value = &to,
       .value_length = sizeof to},
      {.family = NFPROTO_BRIDGE, .set = "containers", .key = ifname, .key_length = sizeof ifname},
  };
  int fd = open_netlink(NETLINK_NETFILTER);
  put_mark(NFNL_MSG_BATCH_BEGIN);
  for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) put_element(what, elements + i);
  put_mark(NFNL_MSG_BATCH_END);
  request(fd, 3, "nftables");
}

static void commit(int flushed) {
  static char pages[COMMIT_BYTES];
  int fd = open(LOG, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || pwrite(fd, pages, sizeof pages, 0) != (ssize_t)sizeof pages || (flushed && fsync(fd) < 0)) fail(LOG);
  close(fd);
}

int main(int argc, char **argv) {
  struct in_addr address, gateway;
  char name[IFNAMSIZ];
  if (argc != 6 || !inet_aton(argv[5], &gateway)) return 2;
  int number = atoi(argv[3]), netns = open(argv[2], O_RDONLY | O_CLOEXEC), route = open_netlink(NETLINK_ROUTE);
  if (netns < 0) fail(argv[2]);
  snprintf(name, sizeof name, "floor%d", number);
  address.s_addr = htonl((ntohl(gateway.s_addr) & 0xffff0000) + 0x8000 + (uint32_t)number);
  commit(0);
  if (strcmp(argv[1], "ADD") == 0) {
    add_link(route, name, argv[4], netns);
    change_elements(NFT_MSG_NEWSETELEM, address, (uint16_t)number, name);
    configure(netns, address, gateway);
  } else {
    change_elements(NFT_MSG_DELSETELEM, address, (uint16_t)number, name);
    delete_link(route, name);
  }
  commit(1);
  /* As a result names it. */
  printf("\"%s\"\n", argv[2]);
  return 0;
}
