/*
 * Stands between a program and libc, and makes its files fail as a control file says, which both sides map:
 * struct control below. Only files count whose path ends as `ending` says, such as "-wal".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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
};

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

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define ACTIVE(field) (control && control->field != 0)

int fsync(int fd) {
  if (ACTIVE(fsyncs) && is_meant_fd(fd) && fails(&control->fsyncs)) return -1;
  return REAL(fsync)(fd);
}

int fdatasync(int fd) {
  if (ACTIVE(fsyncs) && is_meant_fd(fd) && fails(&control->fsyncs)) return -1;
  return REAL(fdatasync)(fd);
}

ssize_t write(int fd, const void *bytes, size_t count) {
  if (ACTIVE(writes) && is_meant_fd(fd) && fails(&control->writes)) {
    int error = errno;
    if (control->shorts && count > 1) REAL(write)(fd, bytes, count / 2);
    errno = error;
    return -1;
  }
  return REAL(write)(fd, bytes, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  if (ACTIVE(writes) && is_meant_fd(fd) && fails(&control->writes)) {
    int error = errno;
    if (control->shorts && count > 1) REAL(pwrite64)(fd, bytes, count / 2, at);
    errno = error;
    return -1;
  }
  return REAL(pwrite64)(fd, bytes, count, at);
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
