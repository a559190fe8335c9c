/*
 * The launcher: what container runtimes start under the names of plugins and of the hook. It answers VERSION by
 * itself; everything else it hands to the engine, when there is one that shares its namespaces and its version, and
 * prints what comes back. In every other case it becomes the one-shot executable that lies beside it, which does the
 * same work: nothing is decided here. The wire: lib/engine/launcher-frame.ts.
 */
#include <arpa/inet.h>
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
#include <unistd.h>

#include "launcher-facts.h" /* made by the build: VERSION, VERSION_ANSWER, SOCKET, PROGRAM, HOOK, MAGIC, the limits */

extern char **environ;

/* One byte more than a plugin accepts: enough for the one-shot to know that its input is too long. */
static char input[STDIN_BYTES + 1];
static size_t input_length;
static int input_taken;

/* What is asked, without its header; then what is answered. */
static char frame[FRAME_BYTES];
static size_t frame_length;

static struct {
  unsigned char status;
  uint32_t out, err;
} answer;

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
  fprintf(stderr, "%s: netmoor's executable cannot be run: %s\n", program_invocation_short_name, strerror(errno));
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

/* SO_SNDTIMEO or SO_RCVTIMEO. */
static void limit(int fd, int option, int ms) {
  struct timeval time = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, option, &time, sizeof time);
}

/* A connection to an engine of our own user; -1 when there is none. */
static int engine(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET};
  struct ucred peer;
  socklen_t length = sizeof peer;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  limit(fd, SO_SNDTIMEO, TAKE_MS);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == geteuid())
    return fd;
  close(fd);
  return -1;
}

/* What does not fit is only counted. */
static void put(const char *data, size_t length) {
  if (frame_length <= sizeof frame && length <= sizeof frame - frame_length) memcpy(frame + frame_length, data, length);
  frame_length += length;
}

static void put_text(const char *text) { put(text, strlen(text) + 1); }

static void put_list(char **list) {
  char count[24];
  size_t n = 0;
  while (list[n]) n++;
  snprintf(count, sizeof count, "%zu", n);
  put_text(count);
  while (*list) put_text(*list++);
}

/* "device:inode" of one of our namespaces. */
static int put_namespace(const char *path) {
  struct stat s;
  char id[48];
  if (stat(path, &s) < 0) return -1;
  snprintf(id, sizeof id, "%llu:%llu", (unsigned long long)s.st_dev, (unsigned long long)s.st_ino);
  put_text(id);
  return 0;
}

/* The request; -1 when it does not fit, or cannot be told whose it is. */
static int compose(char **argv) {
  const char *path = executable();
  if (!path) return -1;
  put_text(VERSION);
  put_text(program_invocation_short_name);
  if (put_namespace("/proc/self/ns/net") < 0 || put_namespace("/proc/self/ns/mnt") < 0 ||
      put_namespace("/proc/self/ns/pid") < 0 || put_namespace("/proc/self/ns/user") < 0)
    return -1;
  put_text(path);
  put_list(argv + 1);
  put_list(environ);
  put(input, input_length);
  return frame_length <= sizeof frame ? 0 : -1;
}

/* Sends it all, the container's namespace with its first byte. */
static int send_request(int fd, int netns) {
  char magic[] = MAGIC;
  uint32_t announced = htonl((uint32_t)frame_length);
  struct iovec parts[] = {{magic, sizeof magic - 1}, {&announced, sizeof announced}, {frame, frame_length}};
  size_t all = parts[0].iov_len + parts[1].iov_len + frame_length;
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = sizeof parts / sizeof *parts};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof netns)];
  } control = {{.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof netns)}};
  if (netns >= 0) {
    memcpy(CMSG_DATA(&control.header), &netns, sizeof netns);
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
  }
  ssize_t n;
  do n = sendmsg(fd, &message, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n == (ssize_t)all ? 0 : -1;
}

/* Exactly that many bytes, in time; whoever is stopped and goes on has got fewer by then (signal(7), SO_RCVTIMEO). */
static int receive(int fd, void *into, size_t length, int ms) {
  char *at = into;
  limit(fd, SO_RCVTIMEO, ms);
  while (length > 0) {
    ssize_t n = recv(fd, at, length, MSG_WAITALL);
    if (n == 0 || (n < 0 && errno != EINTR)) return -1;
    if (n > 0) at += n, length -= (size_t)n;
  }
  return 0;
}

/* The whole answer; -1 for a refusal, and for anything else that is none. */
static int take_answer(int fd) {
  char taken;
  uint32_t lengths[2];
  if (receive(fd, &taken, 1, TAKE_MS) < 0 || taken != TAKEN) return -1;
  if (receive(fd, &answer.status, 1, ANSWER_MS) < 0 || receive(fd, lengths, sizeof lengths, ANSWER_MS) < 0) return -1;
  answer.out = ntohl(lengths[0]);
  answer.err = ntohl(lengths[1]);
  if (answer.out > FRAME_BYTES || answer.err > FRAME_BYTES - answer.out) return -1;
  return receive(fd, frame, (size_t)answer.out + answer.err, ANSWER_MS);
}

static int ask_engine(char **argv) {
  const char *path = getenv("CNI_NETNS");
  int asked = -1, netns = -1, fd = engine();
  if (fd < 0) return -1;
  /* One that is gone the engine does not find either, and says what has to be said of it. */
  if (path && *path) netns = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (read_input() == 0 && compose(argv) == 0 && send_request(fd, netns) == 0) asked = take_answer(fd);
  if (netns >= 0) close(netns);
  close(fd);
  return asked;
}

/* A result that could not be delivered is a failure. */
static int print(void) {
  signal(SIGPIPE, SIG_IGN);
  write_all(STDERR_FILENO, frame + answer.out, answer.err);
  int delivered = write_all(STDOUT_FILENO, frame, answer.out) == 0;
  return delivered || answer.status ? answer.status : 1;
}

int main(int argc, char **argv) {
  const char *command = getenv("CNI_COMMAND");
  if (argc < 1) return 1;
  /* Whoever closes stdin gives none: the next descriptor that is opened would be taken for it. */
  if (fcntl(STDIN_FILENO, F_GETFD) < 0) open("/dev/null", O_RDONLY);
  int hook = strcmp(program_invocation_short_name, HOOK) == 0;
  if (!hook && command && strcmp(command, "VERSION") == 0)
    return write_all(STDOUT_FILENO, VERSION_ANSWER, sizeof VERSION_ANSWER - 1) < 0;
  if (hook ? isatty(STDIN_FILENO) : !(command && *command)) return do_it_alone(argv);
  return ask_engine(argv) < 0 ? do_it_alone(argv) : print();
}
