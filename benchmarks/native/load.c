/* A load generator for chat completions over loopback, on one thread.
 *
 * load -p PORT -b FILE [-c CONNECTIONS] [-s SECONDS] [-w SECONDS] [-r RATE]
 *      [-n MOST] [-S] [-H 'Name: value']...
 *
 *   -b  the body of every request.
 *   -w  how long to warm up before what is measured begins.
 *   -r  requests per second, sent whether or not others were answered.  Their
 *       time counts from when they should have been sent.  Without it each
 *       connection sends its next request when it has its answer.
 *   -n  at most so many requests.
 *   -S  answers are event streams that end with [DONE].
 *
 * Prints one JSON object.  Times are microseconds.  Counts are of everything
 * sent, warming up included; times are of what was sent after that, and the
 * rate is of what was answered from then on until the last answer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "response.h"

enum { SECOND = 1000000000, PATIENCE = 30, EVENTS = 1024 };
enum state { CONNECTING, IDLE, BUSY };

struct connection {
  int fd;
  enum state state;
  long sent_at;
  struct response response;
};

static int poller, port, streams, connections = 1;
static char *request;
static size_t request_length;
static struct connection *all, **idle;
static int idle_count;
static long *took, *waited; /* nanoseconds to the last and the first byte */
static size_t measured, capacity;
static long sent, finished, lost, reconnects, bad_status, without_done, unsent;
static long most = -1, measure_at, end_at, answered, last_at;
static double rate, due_at;

static long now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * SECOND + at.tv_nsec;
}

static void fail(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void *allocate(void *old, size_t size) {
  void *block = realloc(old, size);
  if (!block)
    fail("memory");
  return block;
}

static void dial(struct connection *c) {
  int one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0)
    fail("socket");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(c->fd, (void *)&address, sizeof address) && errno != EINPROGRESS)
    fail("connect");
  c->state = CONNECTING;
  epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
}

static void redial(struct connection *c) {
  close(c->fd);
  reconnects++;
  dial(c);
}

static void send_request(struct connection *c, long sent_at) {
  size_t offset = 0;
  c->sent_at = sent_at;
  expect(&c->response);
  c->state = BUSY;
  sent++;
  while (offset < request_length) {
    ssize_t n = send(c->fd, request + offset, request_length - offset, MSG_NOSIGNAL);
    if (n >= 0)
      offset += n;
    else if (errno == EAGAIN)
      usleep(20);
    else
      break; /* reading will tell that it is lost */
  }
}

static int may_send(long at) { return at < end_at && sent != most; }

static void ready(struct connection *c) {
  long at = now();
  c->state = IDLE;
  if (rate > 0)
    idle[idle_count++] = c;
  else if (may_send(at))
    send_request(c, at);
}

static void send_due(long at) {
  if (at > end_at + SECOND)
    return; /* what we were late for ourselves has been sent */
  while (due_at <= at && may_send((long)due_at) && idle_count) {
    send_request(idle[--idle_count], (long)due_at);
    due_at += SECOND / rate;
  }
}

static void finish(struct connection *c, long at) {
  const struct response *r = &c->response;
  finished++;
  if (at >= measure_at) {
    answered++;
    last_at = at;
  }
  if (r->status / 100 != 2)
    bad_status++;
  else if (streams && !r->done)
    without_done++;
  else if (c->sent_at >= measure_at && c->sent_at < end_at) {
    if (measured == capacity) {
      capacity = capacity ? capacity * 2 : 1 << 16;
      took = allocate(took, capacity * sizeof *took);
      waited = allocate(waited, capacity * sizeof *waited);
    }
    took[measured] = at - c->sent_at;
    waited[measured++] = (r->first_at ? r->first_at : at) - c->sent_at;
  }
  if (r->closes)
    redial(c);
  else
    ready(c);
}

static void lose(struct connection *c, long at) {
  if (c->state == BUSY && ends_with_connection(&c->response)) {
    c->response.closes = 1;
    finish(c, at);
    return;
  }
  lost += c->state == BUSY;
  for (int i = 0; i < idle_count; i++)
    if (idle[i] == c) {
      idle[i] = idle[--idle_count];
      break;
    }
  redial(c);
}

static void read_from(struct connection *c) {
  static char buffer[1 << 18];
  ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
  long at = now();
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0 || c->state != BUSY)
    lose(c, at);
  else if (take(&c->response, buffer, n, at))
    finish(c, at);
}

static void connected(struct connection *c) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  socklen_t size = sizeof errno;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &errno, &size);
  if (errno)
    fail("connect");
  epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
  ready(c);
}

static int busy(void) {
  int count = 0;
  for (int i = 0; i < connections; i++)
    count += all[i].state == BUSY;
  return count;
}

static void run(void) {
  static struct epoll_event events[EVENTS];
  for (;;) {
    long at = now(), until = end_at;
    if (rate > 0) {
      send_due(at);
      if (idle_count && (long)due_at < until)
        until = (long)due_at;
    }
    if (!may_send(at)) {
      if (!busy() || at > end_at + (long)PATIENCE * SECOND)
        break;
      until = at + SECOND / 100;
    }
    if (until < at)
      until = at;
    struct timespec wait = {(until - at) / SECOND, (until - at) % SECOND};
    int n = epoll_pwait2(poller, events, EVENTS, &wait, 0);
    for (int i = 0; i < n; i++) {
      struct connection *c = events[i].data.ptr;
      if (c->state == CONNECTING)
        connected(c);
      else
        read_from(c);
    }
  }
  lost += busy();
  if (rate > 0 && due_at < end_at)
    unsent = (end_at - due_at) * rate / SECOND;
}

static int by_size(const void *a, const void *b) {
  long x = *(const long *)a, y = *(const long *)b;
  return (x > y) - (x < y);
}

static double microseconds(const long *sorted, int percent) {
  return measured ? sorted[(measured - 1) * percent / 100] / 1e3 : 0;
}

static void report(void) {
  double seconds = (double)(last_at - measure_at) / SECOND;
  qsort(took, measured, sizeof *took, by_size);
  qsort(waited, measured, sizeof *waited, by_size);
  printf("{\"rate\": %.1f, \"measured\": %zu, \"p50\": %.1f, \"p99\": %.1f, "
         "\"first_p50\": %.1f, \"first_p99\": %.1f, \"sent\": %ld, "
         "\"finished\": %ld, \"lost\": %ld, \"unsent\": %ld, "
         "\"bad_status\": %ld, \"without_done\": %ld, \"reconnects\": %ld}\n",
         answered ? answered / seconds : 0, measured, microseconds(took, 50),
         microseconds(took, 99), microseconds(waited, 50), microseconds(waited, 99),
         sent, finished, lost, unsent, bad_status, without_done, reconnects);
}

static void compose(const char *path, const char *headers) {
  FILE *file = fopen(path, "r");
  if (!file)
    fail(path);
  fseek(file, 0, SEEK_END);
  long length = ftell(file);
  rewind(file);
  request = allocate(0, length + strlen(headers) + 1024);
  request_length = sprintf(
      request,
      "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
      "Accept: %s\r\nContent-Type: application/json\r\n"
      "User-Agent: OpenAI/Python 2.54.0\r\nX-Stainless-Lang: python\r\n"
      "X-Stainless-Async: async:asyncio\r\n"
      "X-Stainless-Retry-Count: 0\r\n%sContent-Length: %ld\r\n\r\n",
      port, streams ? "text/event-stream" : "application/json", headers, length);
  request_length += fread(request + request_length, 1, length, file);
  fclose(file);
}

int main(int count, char **arguments) {
  char headers[8192] = "", *body = 0;
  double seconds = 3, warm = 0.5;
  int option;
  signal(SIGPIPE, SIG_IGN);
  while ((option = getopt(count, arguments, "p:b:c:s:w:r:n:SH:")) != -1) {
    size_t used = strlen(headers);
    if (option == 'p')
      port = atoi(optarg);
    else if (option == 'b')
      body = optarg;
    else if (option == 'c')
      connections = atoi(optarg);
    else if (option == 's')
      seconds = atof(optarg);
    else if (option == 'w')
      warm = atof(optarg);
    else if (option == 'r')
      rate = atof(optarg);
    else if (option == 'n')
      most = atol(optarg);
    else if (option == 'S')
      streams = 1;
    else if (option == 'H' && used + strlen(optarg) + 3 < sizeof headers)
      sprintf(headers + used, "%s\r\n", optarg);
    else
      return 2;
  }
  if (!port || !body || connections < 1)
    return 2;
  compose(body, headers);
  poller = epoll_create1(0);
  all = calloc(connections, sizeof *all);
  idle = calloc(connections, sizeof *idle);
  if (poller < 0 || !all || !idle)
    fail("start");
  due_at = now();
  measure_at = due_at + warm * SECOND;
  end_at = measure_at + seconds * SECOND;
  for (int i = 0; i < connections; i++)
    dial(&all[i]);
  run();
  report();
  return 0;
}
