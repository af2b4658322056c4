/*
 * Stands between a program and libc, and makes its files fail, kills it at a named place, holds up its replies or sets its
 * clock as a control file says, which both sides map: struct control below. Only files count whose path ends as `ending`
 * says, such as "-wal".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
  int32_t fsyncs; /* So many of the next calls fail; -1: all of them. */
  int32_t writes;
  int32_t shorts; /* Before each write that fails, half of it is written. */
  int32_t error;  /* errno of what fails. */
  int32_t opens;  /* Whether to open for writing, to delete and to cut fails, too. */
  int32_t hits;   /* Counts what has failed. */
  char ending[64]; /* Empty: any file below `folder`. */
  char folder[256];
  int32_t point;    /* Where the process is killed: enum point. */
  int32_t passes;   /* So often that place is passed before. */
  int32_t stall;    /* Milliseconds that the next reply takes, and with it the thread that sends it. */
  int32_t ahead;    /* Seconds that the wall clock is ahead. */
};

enum point { NOWHERE, BEFORE_WRITE, AFTER_WRITE, BEFORE_SYNC, AFTER_SYNC, BEFORE_REPLY, AFTER_REPLY };

static struct control *control;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAULT_CONTROL");
  if (!path) return;
  int fd = open(path, O_RDWR);
  if (fd < 0) return;
  void *map = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map != MAP_FAILED) control = map;
  close(fd);
}

static int is_meant(const char *path) {
  size_t length = strlen(path), ending = strlen(control->ending);
  if (strncmp(path, control->folder, strlen(control->folder)) != 0) return 0;
  return length >= ending && strcmp(path + length - ending, control->ending) == 0;
}

static int is_meant_fd(int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return is_meant(path);
}

static int fails(int32_t *left) {
  if (*left == 0) return 0;
  if (*left > 0) (*left)--;
  control->hits++;
  errno = control->error;
  return 1;
}

static int is_reply(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_INET;
}

static void pass(enum point point) {
  if (control->point != point || control->passes-- > 0) return;
  kill(getpid(), SIGKILL);
  for (;;) pause(); /* It ends before anything else happens here. */
}

static void pass_file(int fd, enum point point) {
  int error = errno;
  if (control && control->point == (int32_t)point && is_meant_fd(fd)) pass(point);
  errno = error;
}

static void pass_reply(int fd, enum point point) {
  int error = errno;
  if (control && (control->point == (int32_t)point || control->stall) && is_reply(fd)) {
    int32_t stall = control->stall;
    control->stall = 0;
    if (stall) usleep(stall * 1000u);
    pass(point);
  }
  errno = error;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define ACTIVE(field) (control && control->field != 0)

int fsync(int fd) {
  if (ACTIVE(fsyncs) && is_meant_fd(fd) && fails(&control->fsyncs)) return -1;
  pass_file(fd, BEFORE_SYNC);
  int result = REAL(fsync)(fd);
  pass_file(fd, AFTER_SYNC);
  return result;
}

int fdatasync(int fd) {
  if (ACTIVE(fsyncs) && is_meant_fd(fd) && fails(&control->fsyncs)) return -1;
  pass_file(fd, BEFORE_SYNC);
  int result = REAL(fdatasync)(fd);
  pass_file(fd, AFTER_SYNC);
  return result;
}

ssize_t write(int fd, const void *bytes, size_t count) {
  if (ACTIVE(writes) && is_meant_fd(fd) && fails(&control->writes)) {
    int error = errno;
    if (control->shorts && count > 1) REAL(write)(fd, bytes, count / 2);
    errno = error;
    return -1;
  }
  pass_reply(fd, BEFORE_REPLY);
  ssize_t result = REAL(write)(fd, bytes, count);
  pass_reply(fd, AFTER_REPLY);
  return result;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  pass_reply(fd, BEFORE_REPLY);
  ssize_t result = REAL(writev)(fd, parts, count);
  pass_reply(fd, AFTER_REPLY);
  return result;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  if (ACTIVE(writes) && is_meant_fd(fd) && fails(&control->writes)) {
    int error = errno;
    if (control->shorts && count > 1) REAL(pwrite64)(fd, bytes, count / 2, at);
    errno = error;
    return -1;
  }
  pass_file(fd, BEFORE_WRITE);
  ssize_t result = REAL(pwrite64)(fd, bytes, count, at);
  pass_file(fd, AFTER_WRITE);
  return result;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = REAL(clock_gettime);
  int result = real(clock, time);
  if (control && clock == CLOCK_REALTIME) time->tv_sec += control->ahead;
  return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  int result = REAL(gettimeofday)(time, zone);
  if (control) time->tv_sec += control->ahead;
  return result;
}

time_t time(time_t *into) {
  time_t result = REAL(time)(NULL) + (control ? control->ahead : 0);
  if (into) *into = result;
  return result;
}

int ftruncate64(int fd, off64_t length) {
  if (ACTIVE(opens) && is_meant_fd(fd) && fails(&control->opens)) return -1;
  return REAL(ftruncate64)(fd, length);
}

int unlink(const char *path) {
  if (ACTIVE(opens) && is_meant(path) && fails(&control->opens)) return -1;
  return REAL(unlink)(path);
}

static int open_any(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
  int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
  if (ACTIVE(opens) && writes && is_meant(path) && fails(&control->opens)) return -1;
  return real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return open_any(REAL(open), path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return open_any(REAL(open64), path, flags, mode);
}
