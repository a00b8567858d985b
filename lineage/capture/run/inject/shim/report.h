/* Writing a record to the log.
 *
 * A record:  0x1E op SP pid SP time SP a SP b SP c SP len1 SP len2 LF path1 path2 LF
 * time is microseconds since the epoch, paths are bytes as the kernel takes them.
 *   S start      path1 executable                                  a parent's pid
 *   O open       path1          a access | 4 made | 8 emptied      b size  c mtime (ns) when opened
 *   N rename     path1 from, path2 to                              a 1 replaced | 2 directory
 *   L link       path1 from, path2 to
 *   U unlink     path1
 *   T truncate   path1
 *   E exec       path1 program, path2 PATH where it was searched   a 1 environment without us
 *   F exec that E announced failed
 *   Q the process forbids itself system calls: reporting ends here
 *   X records were lost                                            a how many
 * Written by the Python hook (lineage_hook.py), fields of path1 separated by zero bytes:
 *   P Python began   executable, version, prefix, base prefix, implementation, sys.path...
 *   D Delta table    read|rewrite|write, method, uri, table id     a version
 *   H its audit hook is what reports the files of this process
 */
#ifndef LINEAGE_REPORT_H
#define LINEAGE_REPORT_H
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "raw.h"

#ifndef __O_TMPFILE
#define __O_TMPFILE 0
#endif

enum { MADE = 4, EMPTIED = 8 };

static char log_path[PATH_MAX];
static char shim_path[PATH_MAX];
static volatile int log_fd = -1;
static volatile uint64_t log_ino;
static volatile uint32_t log_major, log_minor;
static volatile unsigned long lost;
static volatile int quiet = 1; /* before begin(), without a log, under seccomp */

/* The one thing that a job can see of us among its descriptors, and kept all the same. Opening the
 * log anew for each record costs 1.9 us more of about 3, takes the lowest free number for a moment
 * (a fork in another thread would hand it on), and is refused once the job has changed its root or
 * user, or has no descriptor left. Kept, it is out of the way (high), is gone after an exec, and may
 * be closed or replaced by the job at any time: usable_log looks before each write. */
static int open_log(struct facts *found) {
  static const int wanted[] = {900, 200, 64, 10};
  int high = -1;
  int fd = (int)RAW(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY, 0);
  if (fd < 0) return -1;
  /* Out of the way: a job may count on getting the lowest free number. */
  for (unsigned i = 0; high < 0 && i < sizeof wanted / sizeof *wanted; i++)
    high = (int)RAW(SYS_fcntl, fd, F_DUPFD_CLOEXEC, wanted[i]);
  RAW(SYS_close, fd);
  if (high < 0 || look(high, "", 0x1000 /* AT_EMPTY_PATH */, found) != 0) {
    if (high >= 0) RAW(SYS_close, high);
    return -1;
  }
  log_ino = found->ino;
  log_major = found->dev_major;
  log_minor = found->dev_minor;
  log_fd = high;
  return high;
}

/* A full disk or a limit may never let an X record through: the log's mode says it as well. */
static void mark_lost(int fd) { RAW(SYS_fchmod, fd, 0644); }

static int usable_log(size_t more) { /* the descriptor, or -1 */
  struct facts found;
  uint64_t limit[2];
  int fd = log_fd;
  if (fd < 0 || look(fd, "", 0x1000, &found) != 0 || found.ino != log_ino ||
      found.dev_major != log_major || found.dev_minor != log_minor) {
    fd = open_log(&found);
    if (fd < 0) return -1;
  }
  /* A write over the job's own file size limit would be SIGXFSZ. */
  if (RAW(SYS_prlimit64, 0, 1 /* RLIMIT_FSIZE */, 0, limit) == 0 && found.size + more > limit[0]) {
    mark_lost(fd);
    return -1;
  }
  return fd;
}

struct place { /* a path in one or two pieces */
  const char *dir;
  size_t ndir;
  const char *name;
  size_t nname;
};

static char *number(char *at, uint64_t value) {
  char digits[20];
  int n = 0;
  do digits[n++] = (char)('0' + value % 10);
  while (value /= 10);
  while (n) *at++ = digits[--n];
  *at++ = ' ';
  return at;
}

static uint64_t now(void) {
  struct {
    int64_t sec, nsec;
  } t = {0, 0};
  RAW(SYS_clock_gettime, 0, &t); /* not libc's: it may be a fake one */
  return (uint64_t)t.sec * 1000000u + (uint64_t)t.nsec / 1000u;
}

static size_t piece(struct iovec *iov, int *n, const struct place *p) {
  if (!p) return 0;
  size_t slash = p->ndir && p->dir[p->ndir - 1] != '/';
  if (p->ndir) iov[(*n)++] = (struct iovec){(void *)p->dir, p->ndir};
  if (slash) iov[(*n)++] = (struct iovec){(void *)"/", 1};
  if (p->nname) iov[(*n)++] = (struct iovec){(void *)p->name, p->nname};
  return p->ndir + slash + p->nname;
}

static void write_record(char op, uint64_t pid, uint64_t time, uint64_t a, uint64_t b, uint64_t c,
                         const struct place *p1, const struct place *p2) {
  char head[192], *at = head;
  struct iovec iov[8];
  int n = 1;
  size_t len1 = piece(iov, &n, p1), len2 = piece(iov, &n, p2);
  *at++ = 0x1e;
  *at++ = op;
  *at++ = ' ';
  at = number(at, pid);
  at = number(at, time);
  at = number(at, a);
  at = number(at, b);
  at = number(at, c);
  at = number(at, len1);
  at = number(at, len2);
  at[-1] = '\n';
  iov[0] = (struct iovec){head, (size_t)(at - head)};
  iov[n++] = (struct iovec){(void *)"\n", 1};
  size_t total = (size_t)(at - head) + len1 + len2 + 1;
  int fd = usable_log(total);
  if (fd >= 0 && RAW(SYS_writev, fd, iov, n) == (long)total) return;
  if (fd >= 0) mark_lost(fd);
  __atomic_add_fetch(&lost, 1, __ATOMIC_RELAXED);
}

static void emit_at(char op, uint64_t pid, uint64_t time, uint64_t a, uint64_t b, uint64_t c,
                    const struct place *p1, const struct place *p2) {
  unsigned long missed = __atomic_exchange_n(&lost, 0, __ATOMIC_RELAXED);
  if (missed) write_record('X', pid, time, missed, 0, 0, NULL, NULL);
  write_record(op, pid, time, a, b, c, p1, p2);
}

static void emit(char op, uint64_t a, const struct place *p1, const struct place *p2) {
  emit_at(op, (uint64_t)RAW(SYS_getpid), now(), a, 0, 0, p1, p2);
}

/* ------------------------------------------------------------------ paths */

static int watching(void) { return !quiet; }

/* Room for the directory of a relative path. Not taken for an absolute one: the stack may be that of
 * a signal handler. */
#define ROOM(path) ((path) && (path)[0] == '/' ? NULL : __builtin_alloca(PATH_MAX))

/* Make `path` absolute; `room` holds the directory where one is needed. */
static int resolve(int dirfd, const char *path, char *room, struct place *into) {
  into->dir = room;
  into->ndir = 0;
  into->name = path;
  into->nname = length(path, PATH_MAX);
  if (into->nname == 0 || into->nname >= PATH_MAX) return 0;
  if (path[0] == '/') return 1;
  long n;
  if (dirfd == AT_FDCWD) {
    n = RAW(SYS_getcwd, room, PATH_MAX) - 1; /* counts the final zero */
  } else {
    char link[40] = "/proc/self/fd/", *end = number(link + 14, (uint64_t)dirfd);
    end[-1] = 0;
    n = RAW(SYS_readlinkat, AT_FDCWD, link, room, PATH_MAX - 1);
  }
  if (n <= 0 || room[0] != '/') {
    __atomic_add_fetch(&lost, 1, __ATOMIC_RELAXED);
    return 0;
  }
  into->ndir = (size_t)n;
  return 1;
}

static int pseudo(const struct place *p) {
  const char *path = p->ndir ? p->dir : p->name;
  size_t n = p->ndir ? p->ndir : p->nname;
  if (n < 4) return 0;
  if (starts(path, "/proc") || starts(path, "/sys")) {
    size_t at = path[1] == 'p' ? 5 : 4;
    return n == at || path[at] == '/';
  }
  return starts(path, "/dev/") && !(n >= 9 && starts(path, "/dev/shm/")) &&
         !(n == 8 && starts(path, "/dev/shm"));
}

static int is_log(const struct place *p) {
  size_t i = 0;
  if (p->ndir) return 0;
  while (i < p->nname && log_path[i] == p->name[i]) i++;
  return i == p->nname && !log_path[i];
}

static int in_delta_log(const char *text, size_t n) {
  static const char mark[] = "_delta_log";
  for (size_t i = 0; i + sizeof mark - 1 <= n; i++)
    if (text[i] == '_' && starts(text + i, mark)) return 1;
  return 0;
}

/* The same open again tells nothing new: kept short per process. The key holds an epoch that moves
 * with every rename, deletion and use of a table's log, after which opens are told again. */
static uint64_t seen[4096];
static uint64_t epoch = 1;

static uint64_t mix(uint64_t h, const char *text, size_t n) {
  for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)text[i]) * 1099511628211u;
  return h;
}

static int repeated(const struct place *p, uint64_t a) {
  if (in_delta_log(p->name, p->nname) || in_delta_log(p->dir, p->ndir)) {
    __atomic_add_fetch(&epoch, 1, __ATOMIC_RELAXED);
    return 0;
  }
  uint64_t h = 14695981039346656037u ^ (__atomic_load_n(&epoch, __ATOMIC_RELAXED) << 8) ^ a;
  h = mix(mix(mix(h, p->dir, p->ndir), "/", p->ndir ? 1 : 0), p->name, p->nname);
  uint64_t *slot = &seen[(h ^ (h >> 29)) & 4095];
  if (__atomic_load_n(slot, __ATOMIC_RELAXED) == h) return 1;
  __atomic_store_n(slot, h, __ATOMIC_RELAXED);
  return 0;
}

static void note_open(int dirfd, const char *path, int flags, int before, int fd) {
  struct place where;
  struct facts found;
  if (fd < 0 || !path || !watching()) return;
  if ((flags & (O_DIRECTORY | O_PATH)) || (flags & __O_TMPFILE & ~O_DIRECTORY)) return;
  if (!resolve(dirfd, path, ROOM(path), &where) || pseudo(&where) || is_log(&where)) return;
  if (look(fd, "", 0x1000, &found) != 0 || (found.mode & 0170000) != 0100000) return;
  uint64_t a = (uint64_t)(flags & O_ACCMODE);
  if (a > 2) a = 2;
  if ((flags & O_CREAT) && before == ABSENT) a |= MADE;
  if (flags & O_TRUNC) a |= EMPTIED;
  if (repeated(&where, a)) return;
  emit_at('O', (uint64_t)RAW(SYS_getpid), now(), a, found.size,
          (uint64_t)found.mtime.sec * 1000000000u + found.mtime.nsec, &where, NULL);
}

static int before_open(int dirfd, const char *path, int flags) {
  if (!(flags & O_CREAT) || (flags & O_EXCL) || !path || !watching()) return ABSENT;
  return kind_of(dirfd, path, 0);
}

static void note_pair(char op, int from_fd, const char *from, int to_fd, const char *to, int old) {
  struct place p1, p2;
  int kind = kind_of(to_fd, to, AT_SYMLINK_NOFOLLOW);
  if (kind != REGULAR && kind != DIRECTORY) return;
  if (!resolve(from_fd, from, ROOM(from), &p1) || !resolve(to_fd, to, ROOM(to), &p2)) return;
  __atomic_add_fetch(&epoch, 1, __ATOMIC_RELAXED);
  emit(op, (uint64_t)(old != ABSENT) | (kind == DIRECTORY ? 2u : 0u), &p1, &p2);
}

static void note_one(char op, int dirfd, const char *path) {
  struct place where;
  if (!resolve(dirfd, path, ROOM(path), &where) || pseudo(&where)) return;
  __atomic_add_fetch(&epoch, 1, __ATOMIC_RELAXED);
  emit(op, 0, &where, NULL);
}

static int regular_before(int dirfd, const char *path) {
  return watching() && kind_of(dirfd, path, AT_SYMLINK_NOFOLLOW) == REGULAR;
}

static int existed_before(int dirfd, const char *path) {
  return watching() ? kind_of(dirfd, path, AT_SYMLINK_NOFOLLOW) : ABSENT;
}

#endif
