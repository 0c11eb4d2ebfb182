/*
 * What a power loss would leave of the files in one folder. Loaded into a process by LD_PRELOAD.
 *
 * Whatever a program writes is in the hands of the operating system; the disk surely has only what
 * was there when the last fsync of the file began. So each fsync first brings a copy of the file in
 * the folder MQ_POWER_DISK up to date. The test kills all processes, takes the copies for the disk,
 * and may add some of what was written since: a disk is free to have more than it was told to have.
 * So may a copy, of a process that died before its fsync was carried out.
 *
 * MQ_POWER_CUT=3 makes the process die in front of its third fsync. MQ_POWER_DELAY_MS=1000 makes
 * each fsync of a log take a second longer. A file `fail` in MQ_POWER_DISK makes the next fsync of a
 * log fail; those after it succeed and bring only those pages of the log to the disk that were
 * written since, as Linux counts pages as written that could not be. Which those are is in the file
 * `dirty`.
 *
 * Only files directly in MQ_POWER_DIR count. One lock orders the copies of all processes, so that
 * nothing older ever replaces what is newer.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int sync_call(int);
typedef ssize_t write_call(int, const void *, size_t);
typedef ssize_t pwrite_call(int, const void *, size_t, off64_t);

#define PAGE 4096

/* The name of the file behind a descriptor if it is one that counts, else NULL. */
static const char *name_of(int fd, char path[PATH_MAX])
{
    const char *folder = getenv("MQ_POWER_DIR");
    char link[64];
    struct stat status;
    ssize_t length;

    if (folder == NULL || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0)
        return NULL;
    path[length] = '\0';
    length = strlen(folder);
    if (strncmp(path, folder, length) != 0 || path[length] != '/')
        return NULL;
    return strchr(path + length + 1, '/') == NULL ? path + length + 1 : NULL;
}

static void in_disk(char to[PATH_MAX], const char *name)
{
    snprintf(to, PATH_MAX, "%s/%s", getenv("MQ_POWER_DISK"), name);
}

static void give_up(const char *what)
{
    perror(what);
    abort();
}

static int lock(void)
{
    char path[PATH_MAX];
    int fd;

    in_disk(path, "lock");
    fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) != 0)
        give_up("power.c: no lock");
    return fd;
}

/*
 * Reads by the descriptor that is there: to open the database once more and to close it would drop
 * the locks that this process has on it, which is how POSIX wants it. Writes only what differs: a
 * log of some MB gets a few KB per commit.
 */
static void copy(int from, const char *image)
{
    static __thread char new[1 << 16], old[1 << 16];
    off_t offset = 0;
    ssize_t length = 0;
    int fd = open(image, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0)
        give_up("power.c: no copy");
    while ((length = pread(from, new, sizeof new, offset)) > 0) {
        if (pread(fd, old, length, offset) != length || memcmp(new, old, length) != 0)
            if (pwrite(fd, new, length, offset) != length)
                give_up("power.c: no room for a copy");
        offset += length;
    }
    if (length < 0 || ftruncate(fd, offset) != 0)
        give_up("power.c: half a copy");
    close(fd);
}

/*
 * Redis writes its log by a descriptor that cannot read. To open such a file once more is harmless:
 * there are no locks on it.
 */
static void copy_by(int fd, const char *image)
{
    char link[64];
    int readable = fd;

    if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        readable = open(link, O_RDONLY | O_CLOEXEC);
        if (readable < 0)
            give_up("power.c: cannot read what was written");
    }
    copy(readable, image);
    if (readable != fd)
        close(readable);
}

static void cut(void)
{
    static int calls;
    const char *at = getenv("MQ_POWER_CUT");

    if (at != NULL && __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) == atoi(at))
        kill(getpid(), SIGKILL);
}

static int is_log(const char *name)
{
    size_t length = strlen(name);

    return length > 4 && strcmp(name + length - 4, "-wal") == 0;
}

static void delay(const char *name)
{
    const char *ms = getenv("MQ_POWER_DELAY_MS");

    if (ms != NULL && is_log(name))
        usleep(1000 * (useconds_t)atoi(ms));
}

/* Whether the disk fails now, for all processes together once. */
static int fails(void)
{
    char to_fail[PATH_MAX], failed[PATH_MAX];

    in_disk(to_fail, "fail");
    in_disk(failed, "failed");
    return rename(to_fail, failed) == 0;
}

static int has_failed(void)
{
    char failed[PATH_MAX];

    in_disk(failed, "failed");
    return access(failed, F_OK) == 0;
}

/* After a failure: something was written to a file. */
static void note(int fd, off_t offset, ssize_t length)
{
    static write_call *next;
    char path[PATH_MAX], dirty[PATH_MAX], line[64];
    const char *name;
    int to, error = errno;

    if (next == NULL)
        next = (write_call *)dlsym(RTLD_NEXT, "write");
    if (length <= 0 || getenv("MQ_POWER_DISK") == NULL || !has_failed())
        return;
    name = name_of(fd, path);
    if (name != NULL && is_log(name)) {
        in_disk(dirty, "dirty");
        to = open(dirty, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
        snprintf(line, sizeof line, "%lld %lld\n", (long long)offset, (long long)length);
        if (to < 0 || next(to, line, strlen(line)) < 0)
            give_up("power.c: cannot note a write");
        close(to);
    }
    errno = error;
}

/* After a failure: brings what was written since to the copy, by whole pages. */
static void copy_dirty(int fd, const char *image)
{
    char path[PATH_MAX], page[PAGE];
    long long offset, length, at;
    ssize_t got;
    FILE *dirty;
    int to = open(image, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    in_disk(path, "dirty");
    dirty = fopen(path, "re");
    if (to < 0)
        give_up("power.c: no copy");
    while (dirty != NULL && fscanf(dirty, "%lld %lld", &offset, &length) == 2)
        for (at = offset / PAGE * PAGE; at < offset + length; at += PAGE) {
            got = pread(fd, page, PAGE, at);
            if (got > 0 && pwrite(to, page, got, at) != got)
                give_up("power.c: no room for a page");
        }
    if (dirty != NULL)
        fclose(dirty);
    close(to);
    truncate(path, 0);
}

static int record(int fd, sync_call *sync)
{
    char path[PATH_MAX], image[PATH_MAX];
    const char *name = name_of(fd, path);
    int held, result, error;

    if (name == NULL)
        return sync(fd);
    cut();
    delay(name);
    if (is_log(name) && fails()) {
        errno = EIO;
        return -1;
    }
    held = lock();
    in_disk(image, name);
    if (is_log(name) && has_failed())
        copy_dirty(fd, image);
    else
        copy_by(fd, image);
    result = sync(fd);
    error = errno;
    close(held);
    errno = error;
    return result;
}

int fsync(int fd)
{
    static sync_call *next;

    if (next == NULL)
        next = (sync_call *)dlsym(RTLD_NEXT, "fsync");
    return record(fd, next);
}

int fdatasync(int fd)
{
    static sync_call *next;

    if (next == NULL)
        next = (sync_call *)dlsym(RTLD_NEXT, "fdatasync");
    return record(fd, next);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    static write_call *next;
    ssize_t written;

    if (next == NULL)
        next = (write_call *)dlsym(RTLD_NEXT, "write");
    written = next(fd, bytes, length);
    if (written > 0)
        note(fd, lseek(fd, 0, SEEK_CUR) - written, written);
    return written;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
    static pwrite_call *next;
    ssize_t written;

    if (next == NULL)
        next = (pwrite_call *)dlsym(RTLD_NEXT, "pwrite64");
    written = next(fd, bytes, length, offset);
    note(fd, offset, written);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    return pwrite64(fd, bytes, length, offset);
}

/* A file that is removed takes its copy along; its namesake later begins with nothing. */
int unlink(const char *path)
{
    static int (*next)(const char *);
    const char *folder = getenv("MQ_POWER_DIR");
    char image[PATH_MAX];
    size_t length = folder == NULL ? 0 : strlen(folder);
    int held, result, error;

    if (next == NULL)
        next = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
    if (length == 0 || strncmp(path, folder, length) != 0 || path[length] != '/')
        return next(path);
    held = lock();
    result = next(path);
    error = errno;
    if (result == 0) {
        in_disk(image, path + length + 1);
        next(image);
    }
    close(held);
    errno = error;
    return result;
}
