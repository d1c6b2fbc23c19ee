/* An SMTP server that takes everything at once and keeps nothing: the benchmark's other end.
 *
 *     sink [KEYWORD]...
 *
 * offers the EHLO keywords it is given, listens on a port of 127.0.0.1 (or of the address in SINK_HOST)
 * and prints that port. One process, one thread, epoll; what one read brought is answered with one write.
 * Handles DATA and BDAT, groups (RFC 2920) within and across transactions, and streams without any wait.
 * XCOUNT is answered with "250 MESSAGES OCTETS BDATS": what came so far on all connections together.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 128 * 1024, EVENTS = 64, CONTEXT = 4 };
enum mode { COMMANDS, CONTENT, CHUNK };

struct session {
    int fd;
    enum mode mode;
    int is_last, has_mail, has_rcpt, is_closing, waits_for_room;
    unsigned long long chunk_left;
    char *in, *out;
    size_t in_length, out_length, out_capacity;
};

static char ehlo_reply[1024];
static unsigned long long messages, octets, bdats;
static unsigned queue_id = 0x10000000;
static int poller;

static void die(const char *what) { perror(what); exit(1); }

static void say(struct session *session, const char *text, size_t length) {
    if (session->out_length + length > session->out_capacity) {
        session->out_capacity = 2 * (session->out_length + length);
        session->out = realloc(session->out, session->out_capacity);
        if (!session->out) die("realloc");
    }
    memcpy(session->out + session->out_length, text, length);
    session->out_length += length;
}
#define SAY(session, text) say(session, text "\r\n", sizeof text + 1)

/* As with real servers, no two final replies are the same. */
static void say_queued(struct session *session) {
    char reply[] = "250 2.0.0 Ok: queued as 00000000\r\n";
    unsigned id = queue_id++;
    for (char *digit = reply + sizeof reply - 4; id; id >>= 4) *digit-- = "0123456789ABCDEF"[id & 15];
    say(session, reply, sizeof reply - 1);
}

static void take_message(struct session *session) {
    messages++;
    session->has_mail = session->has_rcpt = 0;
    session->mode = COMMANDS;
    say_queued(session);
}

/* The first CRLF "." CRLF, or NULL: hops from dot to dot, which most texts have few of. */
static char *find_end(char *from, char *end) {
    if (end - from < 5) return NULL;
    for (char *dot = from + 2; (dot = memchr(dot, '.', (size_t)(end - dot))); dot++) {
        if (end - dot < 3) return NULL;
        if (dot[1] == '\r' && dot[2] == '\n' && dot[-1] == '\n' && dot[-2] == '\r') return dot - 2;
        dot += dot[1] == '.';
    }
    return NULL;
}

/* `from` points at a CRLF before the octets not yet counted, at first that of the DATA line. */
static char *take_content(struct session *session, char *from, char *end) {
    char *stop = find_end(from, end);
    if (stop) {
        octets += (unsigned long long)(stop - from);
        take_message(session);
        return stop + 5;
    }
    char *keep = end - from > CONTEXT ? end - CONTEXT : from;
    octets += (unsigned long long)(keep - from);
    return keep;
}

static char *take_chunk(struct session *session, char *from, char *end) {
    unsigned long long here = (unsigned long long)(end - from);
    if (here > session->chunk_left) here = session->chunk_left;
    session->chunk_left -= here;
    octets += here;
    if (!session->chunk_left) {
        if (session->is_last) take_message(session);
        else session->mode = COMMANDS, SAY(session, "250 2.0.0 Ok: continue");
    }
    return from + here;
}

static int begin_bdat(struct session *session, const char *line) {
    char *rest;
    session->chunk_left = strtoull(line + 4, &rest, 10);
    session->is_last = !strncasecmp(rest, " LAST", 5);
    session->mode = CHUNK;
    bdats++;
    return session->has_rcpt;
}

static void say_count(struct session *session) {
    char reply[100];
    int length = snprintf(reply, sizeof reply, "250 %llu %llu %llu\r\n", messages, octets, bdats);
    say(session, reply, (size_t)length);
}

static int is(const char *line, const char *verb) { return !strncasecmp(line, verb, strlen(verb)); }

/* One command line; returns how many octets of it the mode that follows wants back. */
static int command(struct session *session, char *line) {
    if (is(line, "MAIL")) {
        session->has_mail = 1;
        SAY(session, "250 2.1.0 Ok");
    } else if (is(line, "RCPT")) {
        session->has_rcpt = session->has_mail;
        if (session->has_rcpt) SAY(session, "250 2.1.5 Ok");
        else SAY(session, "503 5.5.1 MAIL first");
    } else if (is(line, "DATA") && session->has_rcpt) {
        session->mode = CONTENT;
        SAY(session, "354 End data with <CR><LF>.<CR><LF>");
        return 2;
    } else if (is(line, "BDAT")) {
        if (!begin_bdat(session, line)) session->is_closing = 1, SAY(session, "503 5.5.1 RCPT first");
    } else if (is(line, "RSET")) {
        session->has_mail = session->has_rcpt = 0;
        SAY(session, "250 2.0.0 Ok");
    } else if (is(line, "EHLO")) {
        say(session, ehlo_reply, strlen(ehlo_reply));
    } else if (is(line, "NOOP") || is(line, "HELO")) {
        SAY(session, "250 2.0.0 Ok");
    } else if (is(line, "XCOUNT")) {
        say_count(session);
    } else if (is(line, "QUIT")) {
        session->is_closing = 1;
        SAY(session, "221 2.0.0 Bye");
    } else {
        SAY(session, "503 5.5.1 not now");
    }
    return 0;
}

static void process(struct session *session) {
    char *at = session->in, *end = at + session->in_length, *newline, *before;
    while (at < end && !session->is_closing) {
        before = at;
        if (session->mode == CHUNK) {
            at = take_chunk(session, at, end);
        } else if (session->mode == CONTENT) {
            at = take_content(session, at, end);
            if (session->mode == CONTENT) break;
        } else if ((newline = memchr(at, '\n', (size_t)(end - at)))) {
            at = newline + 1 - command(session, before);
            if (session->mode == CHUNK && !session->chunk_left) at = take_chunk(session, at, end);
        } else {
            break;
        }
    }
    session->in_length = (size_t)(end - at);
    if (at != session->in) memmove(session->in, at, session->in_length);
}

static void drop(struct session *session) {
    close(session->fd);
    free(session->in);
    free(session->out);
    free(session);
}

static void watch(struct session *session, int operation, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = session};
    if (epoll_ctl(poller, operation, session->fd, &event)) die("epoll_ctl");
}

/* Returns whether the session goes on. */
static int flush(struct session *session) {
    if (session->out_length) {
        ssize_t sent = send(session->fd, session->out, session->out_length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return 0;
        if (sent > 0) {
            session->out_length -= (size_t)sent;
            memmove(session->out, session->out + sent, session->out_length);
        }
    }
    int waits = session->out_length > 0;
    if (waits != session->waits_for_room) {
        session->waits_for_room = waits;
        watch(session, EPOLL_CTL_MOD, waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    return waits || !session->is_closing;
}

static int serve(struct session *session, unsigned events) {
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        size_t room = BUFFER - session->in_length;
        ssize_t got = room ? recv(session->fd, session->in + session->in_length, room, 0) : 0;
        if (!got || (got < 0 && errno != EAGAIN)) return 0;
        if (got > 0) {
            session->in_length += (size_t)got;
            process(session);
        }
    }
    return flush(session);
}

static void welcome(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    if (fd < 0) return;
    struct session *session = calloc(1, sizeof *session);
    if (!session || !(session->in = malloc(BUFFER))) die("malloc");
    session->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(session, EPOLL_CTL_ADD, EPOLLIN);
    SAY(session, "220 sink.example.org ESMTP");
    if (!flush(session)) drop(session);
}

static int listen_somewhere(void) {
    const char *host = getenv("SINK_HOST");
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, host ? host : "127.0.0.1", &address.sin_addr) != 1) die("socket");
    if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, 4096)) die("listen");
    getsockname(fd, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void make_ehlo_reply(int count, char **keywords) {
    char *at = ehlo_reply, *end = at + sizeof ehlo_reply;
    at += snprintf(at, (size_t)(end - at), "250%csink.example.org\r\n", count ? '-' : ' ');
    for (int i = 0; i < count && at < end; i++)
        at += snprintf(at, (size_t)(end - at), "250%c%s\r\n", i + 1 < count ? '-' : ' ', keywords[i]);
    if (at >= end) die("too many keywords");
}

int main(int count, char **arguments) {
    struct rlimit files;
    if (!getrlimit(RLIMIT_NOFILE, &files)) files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    make_ehlo_reply(count - 1, arguments + 1);
    if ((poller = epoll_create1(EPOLL_CLOEXEC)) < 0) die("epoll_create1");
    int listener = listen_somewhere();
    struct epoll_event events[EVENTS], new = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &new)) die("epoll_ctl");
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            struct session *session = events[i].data.ptr;
            if (!session) welcome(listener);
            else if (!serve(session, events[i].events)) drop(session);
        }
    }
}
