/* Reports the files that a process opens, makes, renames and deletes, and the programs it starts.
 *
 * `lineage run` puts this library into LD_PRELOAD. It must never change what the job does:
 *   - every wrapper calls the real function first or last with the arguments as they came, and gives
 *     back its result with errno as it was left;
 *   - reporting uses raw system calls and the stack only, so that it works in signal handlers, in
 *     children of vfork, in threads with small stacks and before constructors have run;
 *   - a record is ONE appending write, so records of many processes never mix;
 *   - the descriptor of the log is checked before each write: a job may have closed it, or may have
 *     put a file of its own at its number;
 *   - what cannot be reported is dropped and counted, never waited for.
 *
 * Of libc it needs dlsym, errno, environ and fileno only, all of which musl has as well: an unknown
 * symbol would stop a program of another libc from starting.
 * report.h has the format of a record.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include "report.h"

#undef open
#undef open64
#undef openat
#undef openat64
#undef creat
#undef creat64
#undef fopen
#undef fopen64
#undef freopen
#undef freopen64
#undef truncate
#undef truncate64
#undef mkstemp
#undef mkstemp64

/* ------------------------------------------------------------------ the real functions */

#define REAL(result, name, arguments)                                                     \
  static result(*real_##name) arguments;                                                  \
  static void find_##name(void) {                                                         \
    if (!real_##name) real_##name = (result(*) arguments)dlsym(RTLD_NEXT, #name);         \
  }

REAL(int, open, (const char *, int, ...))
REAL(int, open64, (const char *, int, ...))
REAL(int, openat, (int, const char *, int, ...))
REAL(int, openat64, (int, const char *, int, ...))
REAL(int, __open_2, (const char *, int))
REAL(int, __open64_2, (const char *, int))
REAL(int, __openat_2, (int, const char *, int))
REAL(int, __openat64_2, (int, const char *, int))
REAL(int, creat, (const char *, mode_t))
REAL(int, creat64, (const char *, mode_t))
REAL(FILE *, fopen, (const char *, const char *))
REAL(FILE *, fopen64, (const char *, const char *))
REAL(FILE *, freopen, (const char *, const char *, FILE *))
REAL(FILE *, freopen64, (const char *, const char *, FILE *))
REAL(int, mkstemp, (char *))
REAL(int, mkstemp64, (char *))
REAL(int, mkostemp, (char *, int))
REAL(int, mkostemp64, (char *, int))
REAL(int, mkstemps, (char *, int))
REAL(int, mkstemps64, (char *, int))
REAL(int, mkostemps, (char *, int, int))
REAL(int, mkostemps64, (char *, int, int))
REAL(int, rename, (const char *, const char *))
REAL(int, renameat, (int, const char *, int, const char *))
REAL(int, renameat2, (int, const char *, int, const char *, unsigned))
REAL(int, link, (const char *, const char *))
REAL(int, linkat, (int, const char *, int, const char *, int))
REAL(int, unlink, (const char *))
REAL(int, unlinkat, (int, const char *, int))
REAL(int, remove, (const char *))
REAL(int, truncate, (const char *, off_t))
REAL(int, truncate64, (const char *, off_t))
REAL(long, syscall, (long, ...))
REAL(int, prctl, (int, ...))
REAL(int, execve, (const char *, char *const[], char *const[]))
REAL(int, execv, (const char *, char *const[]))
REAL(int, execvp, (const char *, char *const[]))
REAL(int, execvpe, (const char *, char *const[], char *const[]))
REAL(int, fexecve, (int, char *const[], char *const[]))
REAL(int, execveat, (int, const char *, char *const[], char *const[], int))
REAL(int, posix_spawn,
     (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
      char *const[], char *const[]))
REAL(int, posix_spawnp,
     (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
      char *const[], char *const[]))

static void find_all(void) {
  /* clang-format off */
  find_open(); find_open64(); find_openat(); find_openat64(); find___open_2(); find___open64_2();
  find___openat_2(); find___openat64_2(); find_creat(); find_creat64(); find_fopen();
  find_fopen64(); find_freopen(); find_freopen64(); find_mkstemp(); find_mkstemp64();
  find_mkostemp(); find_mkostemp64(); find_mkstemps(); find_mkstemps64(); find_mkostemps();
  find_mkostemps64(); find_rename(); find_renameat(); find_renameat2(); find_link(); find_linkat();
  find_unlink(); find_unlinkat(); find_remove(); find_truncate(); find_truncate64();
  find_syscall(); find_prctl(); find_execve(); find_execv(); find_execvp(); find_execvpe();
  find_fexecve(); find_execveat(); find_posix_spawn(); find_posix_spawnp();
  /* clang-format on */
}

static const char *variable(const char *name, char *const *environment) {
  size_t n = length(name, 64);
  for (; environment && *environment; environment++)
    if (starts(*environment, name) && (*environment)[n] == '=') return *environment + n + 1;
  return NULL;
}

static int keep(char *into, const char *text) {
  size_t n = text ? length(text, PATH_MAX) : 0;
  if (n == 0 || n >= PATH_MAX) return 0;
  for (size_t i = 0; i <= n; i++) into[i] = text[i];
  return 1;
}

__attribute__((constructor)) static void begin(void) {
  struct facts found;
  char exe[PATH_MAX];
  int saved = errno;
  find_all();
  errno = saved;
  if (!keep(log_path, variable("LINEAGE_CAPTURE_LOG", environ)) || open_log(&found) < 0) return;
  quiet = 0;
  keep(shim_path, variable("LINEAGE_CAPTURE_SHIM", environ));
  long n = RAW(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", exe, sizeof exe);
  struct place where = {exe, 0, exe, n > 0 ? (size_t)n : 0};
  emit('S', (uint64_t)RAW(SYS_getppid), &where, NULL);
}

/* ------------------------------------------------------------------ opening */

#define MODE                                                                              \
  mode_t mode = 0;                                                                        \
  if ((flags & O_CREAT) || (flags & __O_TMPFILE) == __O_TMPFILE) {                        \
    va_list more;                                                                         \
    va_start(more, flags);                                                                \
    mode = va_arg(more, mode_t);                                                          \
    va_end(more);                                                                         \
  }
#define OPENED(dirfd, call)                                                               \
  int before = before_open(dirfd, path, flags);                                           \
  int fd = (call);                                                                        \
  note_open(dirfd, path, flags, before, fd);                                              \
  return fd
#define RAW_OPEN(dirfd) (int)checked(RAW(SYS_openat, dirfd, path, flags, mode))

int open(const char *path, int flags, ...) {
  MODE
  OPENED(AT_FDCWD, real_open ? real_open(path, flags, mode) : RAW_OPEN(AT_FDCWD));
}
int open64(const char *path, int flags, ...) {
  MODE
  OPENED(AT_FDCWD, real_open64 ? real_open64(path, flags, mode) : RAW_OPEN(AT_FDCWD));
}
int openat(int dirfd, const char *path, int flags, ...) {
  MODE
  OPENED(dirfd, real_openat ? real_openat(dirfd, path, flags, mode) : RAW_OPEN(dirfd));
}
int openat64(int dirfd, const char *path, int flags, ...) {
  MODE
  OPENED(dirfd, real_openat64 ? real_openat64(dirfd, path, flags, mode) : RAW_OPEN(dirfd));
}
int __open_2(const char *path, int flags) {
  mode_t mode = 0;
  OPENED(AT_FDCWD, real___open_2 ? real___open_2(path, flags) : RAW_OPEN(AT_FDCWD));
}
int __open64_2(const char *path, int flags) {
  mode_t mode = 0;
  OPENED(AT_FDCWD, real___open64_2 ? real___open64_2(path, flags) : RAW_OPEN(AT_FDCWD));
}
int __openat_2(int dirfd, const char *path, int flags) {
  mode_t mode = 0;
  OPENED(dirfd, real___openat_2 ? real___openat_2(dirfd, path, flags) : RAW_OPEN(dirfd));
}
int __openat64_2(int dirfd, const char *path, int flags) {
  mode_t mode = 0;
  OPENED(dirfd, real___openat64_2 ? real___openat64_2(dirfd, path, flags) : RAW_OPEN(dirfd));
}
int creat(const char *path, mode_t mode) {
  int flags = O_WRONLY | O_CREAT | O_TRUNC;
  OPENED(AT_FDCWD, real_creat ? real_creat(path, mode) : RAW_OPEN(AT_FDCWD));
}
int creat64(const char *path, mode_t mode) {
  int flags = O_WRONLY | O_CREAT | O_TRUNC;
  OPENED(AT_FDCWD, real_creat64 ? real_creat64(path, mode) : RAW_OPEN(AT_FDCWD));
}

static int flags_of(const char *mode) {
  int plus = 0;
  if (!mode) return 0;
  for (size_t i = 0; mode[i] && mode[i] != ','; i++) plus |= mode[i] == '+';
  switch (mode[0]) {
  case 'w':
    return (plus ? O_RDWR : O_WRONLY) | O_CREAT | O_TRUNC;
  case 'a':
    return (plus ? O_RDWR : O_WRONLY) | O_CREAT | O_APPEND;
  }
  return plus ? O_RDWR : O_RDONLY;
}

#define STREAM(call)                                                                      \
  int flags = flags_of(mode);                                                             \
  int before = before_open(AT_FDCWD, path, flags);                                        \
  FILE *file = (call);                                                                    \
  int saved = errno;                                                                      \
  if (file) note_open(AT_FDCWD, path, flags, before, fileno(file));                       \
  errno = saved;                                                                          \
  return file

FILE *fopen(const char *path, const char *mode) {
  find_fopen();
  STREAM(real_fopen(path, mode));
}
FILE *fopen64(const char *path, const char *mode) {
  find_fopen64();
  STREAM(real_fopen64(path, mode));
}
FILE *freopen(const char *path, const char *mode, FILE *stream) {
  find_freopen();
  STREAM(real_freopen(path, mode, stream));
}
FILE *freopen64(const char *path, const char *mode, FILE *stream) {
  find_freopen64();
  STREAM(real_freopen64(path, mode, stream));
}

#define TEMPORARY(name, declared, passed)                                                 \
  int name declared {                                                                     \
    find_##name();                                                                        \
    int fd = real_##name passed;                                                          \
    note_open(AT_FDCWD, path, O_RDWR | O_CREAT, ABSENT, fd);                              \
    return fd;                                                                            \
  }
TEMPORARY(mkstemp, (char *path), (path))
TEMPORARY(mkstemp64, (char *path), (path))
TEMPORARY(mkostemp, (char *path, int flags), (path, flags))
TEMPORARY(mkostemp64, (char *path, int flags), (path, flags))
TEMPORARY(mkstemps, (char *path, int tail), (path, tail))
TEMPORARY(mkstemps64, (char *path, int tail), (path, tail))
TEMPORARY(mkostemps, (char *path, int tail, int flags), (path, tail, flags))
TEMPORARY(mkostemps64, (char *path, int tail, int flags), (path, tail, flags))

/* ------------------------------------------------------------------ names */

#define PAIR(op, from_fd, to_fd, call)                                                    \
  int old = existed_before(to_fd, to);                                                    \
  int result = (call);                                                                    \
  if (result == 0 && watching()) note_pair(op, from_fd, from, to_fd, to, old);            \
  return result

int rename(const char *from, const char *to) {
  find_rename();
  PAIR('N', AT_FDCWD, AT_FDCWD, real_rename(from, to));
}
int renameat(int from_fd, const char *from, int to_fd, const char *to) {
  find_renameat();
  PAIR('N', from_fd, to_fd, real_renameat(from_fd, from, to_fd, to));
}
int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
  find_renameat2();
  PAIR('N', from_fd, to_fd,
       real_renameat2
           ? real_renameat2(from_fd, from, to_fd, to, flags)
           : (int)checked(RAW(SYS_renameat2, from_fd, from, to_fd, to, flags)));
}
int link(const char *from, const char *to) {
  find_link();
  PAIR('L', AT_FDCWD, AT_FDCWD, real_link(from, to));
}
int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags) {
  find_linkat();
  PAIR('L', from_fd, to_fd, real_linkat(from_fd, from, to_fd, to, flags));
}

#define SINGLE(op, dirfd, worth, call)                                                    \
  int told = (worth);                                                                     \
  int result = (call);                                                                    \
  if (result == 0 && told) note_one(op, dirfd, path);                                     \
  return result

int unlink(const char *path) {
  find_unlink();
  SINGLE('U', AT_FDCWD, regular_before(AT_FDCWD, path), real_unlink(path));
}
int unlinkat(int dirfd, const char *path, int flags) {
  find_unlinkat();
  SINGLE('U', dirfd, regular_before(dirfd, path), real_unlinkat(dirfd, path, flags));
}
int remove(const char *path) {
  find_remove();
  SINGLE('U', AT_FDCWD, regular_before(AT_FDCWD, path), real_remove(path));
}
int truncate(const char *path, off_t size) {
  find_truncate();
  SINGLE('T', AT_FDCWD, watching(), real_truncate(path, size));
}
int truncate64(const char *path, off_t size) {
  find_truncate64();
  SINGLE('T', AT_FDCWD, watching(), real_truncate64(path, size));
}

/* ------------------------------------------------------------------ direct system calls */

static long direct_open(long n, int dirfd, const char *path, int flags, const long *v) {
  int before = before_open(dirfd, path, flags);
  long result = real_syscall(n, v[0], v[1], v[2], v[3], v[4], v[5]);
  note_open(dirfd, path, flags, before, (int)result);
  return result;
}

static long direct_pair(char op, long n, int from_fd, const char *from, int to_fd, const char *to,
                        const long *v) {
  int old = existed_before(to_fd, to);
  long result = real_syscall(n, v[0], v[1], v[2], v[3], v[4], v[5]);
  if (result == 0 && watching()) note_pair(op, from_fd, from, to_fd, to, old);
  return result;
}

static void fall_quiet(void) {
  /* From now on a call of ours could be answered with SIGSYS. */
  if (watching()) emit('Q', 0, NULL, NULL);
  quiet = 1;
}

long syscall(long n, ...) {
  long v[6];
  va_list more;
  va_start(more, n);
  for (int i = 0; i < 6; i++) v[i] = va_arg(more, long);
  va_end(more);
  find_syscall();
  switch (n) {
#ifdef SYS_open
  case SYS_open:
    return direct_open(n, AT_FDCWD, (const char *)v[0], (int)v[1], v);
#endif
  case SYS_openat:
    return direct_open(n, (int)v[0], (const char *)v[1], (int)v[2], v);
  case SYS_openat2: /* struct open_how begins with 64 bits of flags */
    return direct_open(n, (int)v[0], (const char *)v[1], v[2] ? (int)*(uint64_t *)v[2] : 0, v);
#ifdef SYS_rename
  case SYS_rename:
    return direct_pair('N', n, AT_FDCWD, (const char *)v[0], AT_FDCWD, (const char *)v[1], v);
#endif
#ifdef SYS_renameat
  case SYS_renameat:
#endif
  case SYS_renameat2:
    return direct_pair('N', n, (int)v[0], (const char *)v[1], (int)v[2], (const char *)v[3], v);
  case SYS_linkat:
    return direct_pair('L', n, (int)v[0], (const char *)v[1], (int)v[2], (const char *)v[3], v);
  case SYS_unlinkat: {
    int told = regular_before((int)v[0], (const char *)v[1]);
    long result = real_syscall(n, v[0], v[1], v[2]);
    if (result == 0 && told) note_one('U', (int)v[0], (const char *)v[1]);
    return result;
  }
#ifdef SYS_seccomp
  case SYS_seccomp:
    if (v[0] == 0 || v[0] == 1) fall_quiet();
    break;
#endif
  }
  return real_syscall(n, v[0], v[1], v[2], v[3], v[4], v[5]);
}

int prctl(int option, ...) {
  unsigned long v[4];
  va_list more;
  va_start(more, option);
  for (int i = 0; i < 4; i++) v[i] = va_arg(more, unsigned long);
  va_end(more);
  find_prctl();
  if (option == 22 /* PR_SET_SECCOMP */) fall_quiet();
  return real_prctl(option, v[0], v[1], v[2], v[3]);
}

/* ------------------------------------------------------------------ starting programs */

static uint64_t without_us(char *const *environment) {
  const char *preload = variable("LD_PRELOAD", environment);
  const char *log = variable("LINEAGE_CAPTURE_LOG", environment);
  if (!preload || !log || !shim_path[0]) return 1;
  for (; *preload; preload++)
    if (starts(preload, shim_path)) return 0;
  return 1;
}

/* A run within the run reports to a log of its own. */
static int of_another_run(char *const *environment) {
  const char *log = variable("LINEAGE_CAPTURE_LOG", environment);
  return log && !(starts(log, log_path) && log[length(log_path, PATH_MAX)] == 0);
}

static void note_exec(uint64_t pid, uint64_t time, const char *file, char *const *environment,
                      int searched) {
  struct place where, path = {"", 0, "", 0};
  if (!watching() || !file || of_another_run(environment)) return;
  int plain = 1;
  for (size_t i = 0; file[i] && i < PATH_MAX; i++) plain &= file[i] != '/';
  if (searched && plain) {
    const char *list = variable("PATH", environ);
    where = (struct place){"", 0, file, length(file, PATH_MAX)};
    path.name = list ? list : "/bin:/usr/bin";
    path.nname = length(path.name, 4 * PATH_MAX);
  } else if (!resolve(AT_FDCWD, file, ROOM(file), &where) || kind_of(AT_FDCWD, file, 0) != REGULAR) {
    return;
  }
  emit_at('E', pid, time, without_us(environment), 0, 0, &where, &path);
}

#define EXEC(file, environment, searched, call)                                           \
  uint64_t pid = (uint64_t)RAW(SYS_getpid);                                               \
  note_exec(pid, now(), file, environment, searched);                                     \
  int result = (call);                                                                    \
  if (watching()) emit('F', 0, NULL, NULL);                                               \
  return result

int execve(const char *file, char *const argv[], char *const envp[]) {
  find_execve();
  EXEC(file, envp, 0, real_execve(file, argv, envp));
}
int execv(const char *file, char *const argv[]) {
  find_execv();
  EXEC(file, environ, 0, real_execv(file, argv));
}
int execvp(const char *file, char *const argv[]) {
  find_execvp();
  EXEC(file, environ, 1, real_execvp(file, argv));
}
int execvpe(const char *file, char *const argv[], char *const envp[]) {
  find_execvpe();
  EXEC(file, envp, 1, real_execvpe(file, argv, envp));
}
int fexecve(int fd, char *const argv[], char *const envp[]) {
  char link[40] = "/proc/self/fd/", *end = number(link + 14, (uint64_t)fd);
  end[-1] = 0;
  find_fexecve();
  EXEC(link, envp, 0, real_fexecve(fd, argv, envp));
}
int execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags) {
  find_execveat();
  EXEC(path, envp, 0,
       real_execveat ? real_execveat(dirfd, path, argv, envp, flags)
                     : (int)checked(RAW(SYS_execveat, dirfd, path, argv, envp, flags)));
}

/* The arguments of execl* as an array, on the stack. */
#define GATHER(last)                                                                      \
  va_list more;                                                                           \
  size_t n = 1;                                                                           \
  va_start(more, arg);                                                                    \
  while (va_arg(more, char *)) n++;                                                       \
  va_end(more);                                                                           \
  char *argv[n + 1];                                                                      \
  va_start(more, arg);                                                                    \
  argv[0] = (char *)arg;                                                                  \
  for (size_t i = 1; i <= n; i++) argv[i] = va_arg(more, char *);                         \
  last;                                                                                   \
  va_end(more)

int execl(const char *file, const char *arg, ...) {
  GATHER((void)0);
  return execv(file, argv);
}
int execlp(const char *file, const char *arg, ...) {
  GATHER((void)0);
  return execvp(file, argv);
}
int execle(const char *file, const char *arg, ...) {
  GATHER(char *const *envp = va_arg(more, char *const *));
  return execve(file, argv, envp);
}

#define SPAWN(searched, call)                                                             \
  pid_t made = 0;                                                                         \
  uint64_t time = now();                                                                  \
  int result = (call);                                                                    \
  if (result == 0) {                                                                      \
    if (pid) *pid = made;                                                                 \
    int saved = errno;                                                                    \
    note_exec((uint64_t)made, time, file, envp, searched);                                \
    errno = saved;                                                                        \
  }                                                                                       \
  return result

int posix_spawn(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
  find_posix_spawn();
  SPAWN(0, real_posix_spawn(&made, file, actions, attributes, argv, envp));
}
int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
  find_posix_spawnp();
  SPAWN(1, real_posix_spawnp(&made, file, actions, attributes, argv, envp));
}
