/* An OpenAI-compatible provider on loopback that costs next to no time.
 *
 * provider PORT
 *
 * Every POST is answered with a chat completion, or with 50 chunks, usage and
 * [DONE] if its body says "stream": true, each written on its own.  A body with
 * mock-pace:FIRST:GAP in it waits FIRST milliseconds before, and GAP between
 * the chunks.  A GET is answered with how many completions were served.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "timers.h"

enum { CONTENT = 50, CHUNKS = CONTENT + 2, EVENTS = 512 };
enum { LONGEST_REQUEST = 64 << 20 };
enum outcome { DEAD = -1, WAITING, COMPLETE };

struct connection {
  struct timer timer; /* of what comes next, the first member */
  int fd, streams, closes, chunk;
  size_t length, capacity;
  char *buffer;
  long gap; /* microseconds */
};

#define HEADERS                                                                        \
  "Server: mock\r\nDate: Sat, 21 Nov 2026 00:00:00 GMT\r\n"                            \
  "openai-organization: org-mock\r\nopenai-processing-ms: 12\r\n"                      \
  "openai-version: 2020-10-01\r\nx-ratelimit-limit-requests: 10000\r\n"                \
  "x-ratelimit-remaining-requests: 9999\r\n"                                           \
  "x-ratelimit-remaining-tokens: 1999970\r\n"                                          \
  "x-request-id: req_0123456789abcdef0123456789abcdef\r\n"
#define CHUNK                                                                          \
  "\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\","                     \
  "\"created\":1741570283,\"model\":\"gpt-4o-2024-08-06\","                            \
  "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\""

static const char ANSWER[] =
    "{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion\","
    "\"created\":1741569952,\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{"
    "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello! How "
    "can I assist you today with your routing questions?\",\"refusal\":null},"
    "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{"
    "\"prompt_tokens\":19,\"completion_tokens\":12,\"total_tokens\":31},"
    "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\"}";

static int poller;
static long served;
static char answer[2048], stream_head[1024], chunks[CHUNKS][512];
static int answer_length, stream_head_length, chunk_lengths[CHUNKS];

static long now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000L + at.tv_nsec / 1000;
}

static void fail(const char *what) {
  fprintf(stderr, "provider: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void *allocate(void *old, size_t size) {
  void *block = realloc(old, size);
  if (!block)
    fail("memory");
  return block;
}

static void build(void) {
  answer_length = sprintf(answer,
                          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r"
                          "\n" HEADERS "Content-Length: %zu\r\n\r\n%s",
                          strlen(ANSWER), ANSWER);
  stream_head_length = sprintf(
      stream_head, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r"
                   "\n" HEADERS "Transfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < CHUNKS; i++) {
    char event[480];
    int length;
    if (i < CONTENT)
      length = sprintf(event,
                       "data: {" CHUNK ",\"choices\":[{\"index\":0,\"delta\":{"
                       "%s\"content\":\" tok%d\"},\"logprobs\":null,"
                       "\"finish_reason\":%s}]}\n\n",
                       i ? "" : "\"role\":\"assistant\",", i,
                       i == CONTENT - 1 ? "\"stop\"" : "null");
    else if (i == CONTENT)
      length = sprintf(event, "data: {" CHUNK ",\"choices\":[],\"usage\":{"
                              "\"prompt_tokens\":19,\"completion_tokens\":50,"
                              "\"total_tokens\":69}}\n\n");
    else
      length = sprintf(event, "data: [DONE]\n\n");
    chunk_lengths[i] = sprintf(chunks[i], "%x\r\n%s\r\n%s", length, event,
                               i == CHUNKS - 1 ? "0\r\n\r\n" : "");
  }
}

static void end(struct connection *c) {
  unschedule(&c->timer);
  close(c->fd);
  free(c->buffer);
  free(c);
}

static int write_out(struct connection *c, const char *data, int length) {
  while (length > 0) {
    ssize_t n = send(c->fd, data, length, MSG_NOSIGNAL);
    if (n >= 0) {
      data += n;
      length -= n;
    } else if (errno == EAGAIN)
      usleep(50);
    else if (errno != EINTR)
      return -1;
  }
  return 0;
}

static enum outcome advance(struct connection *c) {
  if (!c->streams) {
    served++;
    return write_out(c, answer, answer_length) ? DEAD : COMPLETE;
  }
  if (c->chunk == 0 && write_out(c, stream_head, stream_head_length))
    return DEAD;
  while (c->chunk < CHUNKS) {
    if (write_out(c, chunks[c->chunk], chunk_lengths[c->chunk]))
      return DEAD;
    c->chunk++;
    if (c->gap && c->chunk <= CONTENT) {
      schedule(&c->timer, c->timer.due + c->gap);
      return WAITING;
    }
  }
  served++;
  return COMPLETE;
}

static const char *header(const char *head, size_t length, const char *name) {
  const char *line = head, *stop = head + length;
  while (line && (size_t)(stop - line) >= strlen(name)) {
    if (!strncasecmp(line, name, strlen(name)))
      return line + strlen(name);
    line = memchr(line, '\n', stop - line);
    line += line != 0;
  }
  return 0;
}

static int tell(struct connection *c) {
  char body[64], response[256];
  int length = sprintf(body, "{\"served\": %ld}", served);
  length = sprintf(response,
                   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                   "Content-Length: %d\r\n\r\n%s",
                   length, body);
  return write_out(c, response, length);
}

/* The length of the first request in the buffer, 0 if it is not complete. */
static size_t complete(struct connection *c, size_t head) {
  const char *value = header(c->buffer, head, "content-length:"), *last;
  if (value) {
    size_t length = head + strtoul(value, 0, 10);
    return c->length < length ? 0 : length;
  }
  if (!header(c->buffer, head, "transfer-encoding:"))
    return head;
  last = memmem(c->buffer + head - 2, c->length - head + 2, "\r\n0\r\n\r\n", 7);
  return last ? (size_t)(last - c->buffer + 7) : 0;
}

/* Answer the requests in the buffer; -1: the connection has ended. */
static int answer_all(struct connection *c) {
  while (c->timer.place == NOT_DUE) {
    char *stop = memmem(c->buffer, c->length, "\r\n\r\n", 4), *body;
    const char *value;
    size_t head = stop ? stop - c->buffer + 4 : 0;
    size_t total = stop ? complete(c, head) : 0;
    int first = 0, gap = 0, asks = c->length && *c->buffer == 'G';
    enum outcome outcome;
    if (!total)
      return 0;
    value = header(c->buffer, head, "connection:");
    c->closes = value && !strncasecmp(value, " close", 6);
    body = c->buffer + head;
    c->streams = memmem(body, total - head, "\"stream\":true", 13) ||
                 memmem(body, total - head, "\"stream\": true", 14);
    value = memmem(body, total - head, "mock-pace:", 10);
    if (value)
      sscanf(value, "mock-pace:%d:%d", &first, &gap);
    memmove(c->buffer, c->buffer + total, c->length - total);
    c->length -= total;
    c->chunk = 0;
    c->gap = gap * 1000L;
    c->timer.due = now();
    if (first) {
      schedule(&c->timer, c->timer.due + first * 1000L);
      return 0;
    }
    outcome = asks ? (tell(c) ? DEAD : COMPLETE) : advance(c);
    if (outcome == DEAD || (outcome == COMPLETE && c->closes))
      return -1;
  }
  return 0;
}

static void accept_all(int listener) {
  int fd, one = 1;
  while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
    struct connection *c = allocate(0, sizeof *c);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    memset(c, 0, sizeof *c);
    c->fd = fd;
    c->timer.place = NOT_DUE;
    c->capacity = 8192;
    c->buffer = allocate(0, c->capacity);
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
  }
}

static void read_from(struct connection *c) {
  ssize_t n;
  if (c->length == c->capacity && c->capacity < LONGEST_REQUEST) {
    c->capacity *= 2;
    c->buffer = allocate(c->buffer, c->capacity);
  }
  n = recv(c->fd, c->buffer + c->length, c->capacity - c->length, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  c->length += n > 0 ? n : 0;
  if (n <= 0 || answer_all(c))
    end(c);
}

static void serve_due(void) {
  struct timer *timer;
  while ((timer = earliest()) && timer->due <= now()) {
    struct connection *c = (struct connection *)timer;
    enum outcome outcome;
    unschedule(&c->timer);
    outcome = advance(c);
    if (outcome == DEAD || (outcome == COMPLETE && (c->closes || answer_all(c))))
      end(c);
  }
}

int main(int count, char **arguments) {
  static struct epoll_event events[EVENTS];
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct epoll_event event = {.events = EPOLLIN};
  if (count != 2)
    return 2;
  signal(SIGPIPE, SIG_IGN);
  build();
  address.sin_port = htons(atoi(arguments[1]));
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  poller = epoll_create1(0);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096))
    fail("listen");
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    struct timer *timer = earliest();
    long until = timer ? timer->due - now() : 0;
    struct timespec wait = {0};
    if (until > 0) {
      wait.tv_sec = until / 1000000;
      wait.tv_nsec = until % 1000000 * 1000;
    }
    int n = epoll_pwait2(poller, events, EVENTS, timer ? &wait : 0, 0);
    for (int i = 0; i < n; i++)
      if (events[i].data.ptr)
        read_from(events[i].data.ptr);
      else
        accept_all(listener);
    serve_due();
  }
}
