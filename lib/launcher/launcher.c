/*
 * The launcher: what container runtimes start under the names of plugins and of the hook. It answers VERSION by
 * itself; everything else it hands to the engine, when there is one that shares its namespaces and its version, and
 * prints what comes back. In every other case it becomes the one-shot executable that lies beside it, which does the
 * same work: nothing is decided here. The wire: lib/engine/launcher-frame.ts.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "launcher-facts.h" /* made by the build: VERSION, VERSION_ANSWER, SOCKET, PROGRAM, HOOK, MAGIC, the limits */

extern char **environ;

/* One byte more than a plugin accepts: enough for the one-shot to know that its input is too long. */
static char input[STDIN_BYTES + 1];
static size_t input_length;
static int input_taken;
static char frame[FRAME_BYTES];

struct answer {
  unsigned char status;
  uint32_t out, err;
  char *text;
};

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *name_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static int write_all(int fd, const char *data, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, data, length);
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    if (n < 0 && errno == EAGAIN) poll(&room, 1, -1);
    else if (n < 0 && errno != EINTR) return -1;
    if (n > 0) data += n, length -= (size_t)n;
  }
  return 0;
}

/* What was read of stdin is put back for the one-shot. */
static int put_back(void) {
  int fd = memfd_create("stdin", MFD_CLOEXEC);
  if (fd < 0 || write_all(fd, input, input_length) < 0 || lseek(fd, 0, SEEK_SET) < 0) return -1;
  return dup2(fd, STDIN_FILENO);
}

/* The one-shot executable, which lies where this file does, whatever links led here. */
static const char *executable(void) {
  static char path[4096];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof "/" PROGRAM);
  char *slash = n > 0 ? (path[n] = 0, strrchr(path, '/')) : NULL;
  return slash ? (strcpy(slash + 1, PROGRAM), path) : NULL;
}

/* Becomes the one-shot. */
static int do_it_alone(char **argv) {
  const char *path = executable();
  if (path && (!input_taken || put_back() >= 0)) execv(path, argv);
  printf("{\"cniVersion\":\"" CURRENT_VERSION "\",\"code\":999,\"msg\":\"netmoor's executable cannot be run: %s\","
         "\"details\":\"it has to lie beside the launcher; install netmoor again\"}\n", strerror(errno));
  fprintf(stderr, "%s: netmoor's executable cannot be run: %s\n", name_of(argv[0]), strerror(errno));
  return 1;
}

static int read_input(void) {
  input_taken = 1;
  while (input_length < sizeof input) {
    ssize_t n = read(STDIN_FILENO, input + input_length, sizeof input - input_length);
    struct pollfd more = {.fd = STDIN_FILENO, .events = POLLIN};
    if (n == 0) return 0;
    if (n > 0) input_length += (size_t)n;
    else if (errno == EAGAIN) poll(&more, 1, -1);
    else if (errno != EINTR) return -1;
  }
  return -1;
}

/* A connection to an engine of our own user; -1 when there is none. */
static int engine(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET};
  struct timeval limit = {.tv_sec = TAKE_MS / 1000, .tv_usec = TAKE_MS % 1000 * 1000};
  struct ucred peer;
  socklen_t length = sizeof peer;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == geteuid())
    return fd;
  close(fd);
  return -1;
}

static size_t put(size_t at, const char *text, size_t length) {
  if (at > sizeof frame || length > sizeof frame - at) return sizeof frame + 1;
  memcpy(frame + at, text, length);
  return at + length;
}

static size_t put_string(size_t at, const char *text) { return put(at, text, strlen(text) + 1); }

static size_t put_list(size_t at, char **list) {
  char count[24];
  size_t n = 0;
  while (list[n]) n++;
  snprintf(count, sizeof count, "%zu", n);
  at = put_string(at, count);
  for (size_t i = 0; i < n; i++) at = put_string(at, list[i]);
  return at;
}

/* "device:inode" of one of our namespaces. */
static size_t put_namespace(size_t at, const char *path) {
  struct stat s;
  char id[48];
  if (stat(path, &s) < 0) return sizeof frame + 1;
  snprintf(id, sizeof id, "%llu:%llu", (unsigned long long)s.st_dev, (unsigned long long)s.st_ino);
  return put_string(at, id);
}

/* The request; 0 when it does not fit. */
static size_t compose(char **argv) {
  const char *path = executable();
  if (!path) return 0;
  size_t at = put(0, MAGIC "\0\0\0\0", sizeof MAGIC - 1 + 4);
  at = put_string(at, VERSION);
  at = put_string(at, name_of(argv[0]));
  at = put_namespace(at, "/proc/self/ns/net");
  at = put_namespace(at, "/proc/self/ns/mnt");
  at = put_namespace(at, "/proc/self/ns/pid");
  at = put_namespace(at, "/proc/self/ns/user");
  at = put_string(at, path);
  at = put_list(at, argv + 1);
  at = put_list(at, environ);
  at = put(at, input, input_length);
  if (at > sizeof frame) return 0;
  uint32_t body = (uint32_t)(at - (sizeof MAGIC - 1) - 4);
  for (size_t i = 0; i < 4; i++) frame[sizeof MAGIC - 1 + i] = (char)(body >> (24 - 8 * i));
  return at;
}

/* Sends it all, the container's namespace with its first byte. */
static int send_request(int fd, size_t length, int netns) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec part = {.iov_base = frame, .iov_len = length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (netns >= 0) {
    message.msg_control = control.space;
    message.msg_controllen = sizeof control.space;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof netns);
    memcpy(CMSG_DATA(rights), &netns, sizeof netns);
  }
  while (part.iov_len > 0) {
    ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    part.iov_base = (char *)part.iov_base + n;
    part.iov_len -= (size_t)n;
    message.msg_control = NULL;
    message.msg_controllen = 0;
  }
  return 0;
}

/* Exactly that many bytes, before the deadline. */
static int receive(int fd, char *into, size_t length, int64_t deadline) {
  while (length > 0) {
    int64_t left = deadline - now_ms();
    struct pollfd more = {.fd = fd, .events = POLLIN};
    if (left <= 0) return -1;
    int ready = poll(&more, 1, (int)left);
    if (ready < 0 && errno != EINTR) return -1;
    if (ready <= 0) continue;
    ssize_t n = recv(fd, into, length, 0);
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) return -1;
    if (n > 0) into += n, length -= (size_t)n;
  }
  return 0;
}

static uint32_t number(const char *at) {
  const unsigned char *b = (const unsigned char *)at;
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The whole answer; -1 for a refusal, and for anything else that is none. */
static int take_answer(int fd, struct answer *answer) {
  char head[9];
  if (receive(fd, head, 1, now_ms() + TAKE_MS) < 0 || head[0] != TAKEN) return -1;
  int64_t deadline = now_ms() + ANSWER_MS;
  if (receive(fd, head, sizeof head, deadline) < 0) return -1;
  answer->status = (unsigned char)head[0];
  answer->out = number(head + 1);
  answer->err = number(head + 5);
  if (answer->out > sizeof frame || answer->err > sizeof frame - answer->out) return -1;
  answer->text = frame;
  return receive(fd, frame, (size_t)answer->out + answer->err, deadline);
}

static int ask_engine(char **argv, struct answer *answer) {
  const char *path = getenv("CNI_NETNS");
  int asked = -1, netns = -1, fd = engine();
  if (fd < 0) return -1;
  /* One that is gone the engine does not find either, and says what has to be said of it. */
  if (path && *path) netns = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  size_t length = read_input() < 0 ? 0 : compose(argv);
  if (length > 0 && send_request(fd, length, netns) == 0) asked = take_answer(fd, answer);
  if (netns >= 0) close(netns);
  close(fd);
  return asked;
}

/* A result that could not be delivered is a failure. */
static int print(const struct answer *answer) {
  signal(SIGPIPE, SIG_IGN);
  write_all(STDERR_FILENO, answer->text + answer->out, answer->err);
  int delivered = write_all(STDOUT_FILENO, answer->text, answer->out) == 0;
  return delivered || answer->status ? answer->status : 1;
}

int main(int argc, char **argv) {
  struct answer answer;
  const char *command = getenv("CNI_COMMAND");
  if (argc < 1) return 1;
  int hook = strcmp(name_of(argv[0]), HOOK) == 0;
  if (!hook && command && strcmp(command, "VERSION") == 0)
    return write_all(STDOUT_FILENO, VERSION_ANSWER, sizeof VERSION_ANSWER - 1) < 0;
  if (hook ? isatty(STDIN_FILENO) : !(command && *command)) return do_it_alone(argv);
  return ask_engine(argv, &answer) < 0 ? do_it_alone(argv) : print(&answer);
}
