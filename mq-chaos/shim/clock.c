/*
 * A wall clock that is wrong. Loaded into a process by LD_PRELOAD.
 *
 * MQ_CLOCK_S=3600 sets it forward by an hour, MQ_CLOCK_S=-3600 back. MQ_CLOCK_S=jump sets it anew
 * each second, by up to an hour forward or back. The monotonic clock is left alone: it is the same
 * in all processes of a machine, and no administrator can set it.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

typedef int gettime_call(clockid_t, struct timespec *);

static int real_gettime(clockid_t id, struct timespec *time)
{
    static gettime_call *real;

    if (real == NULL)
        real = (gettime_call *)dlsym(RTLD_NEXT, "clock_gettime");
    return real(id, time);
}

static time_t shift(void)
{
    const char *by = getenv("MQ_CLOCK_S");
    struct timespec now;

    if (by == NULL)
        return 0;
    if (strcmp(by, "jump") != 0)
        return atoll(by);
    real_gettime(CLOCK_MONOTONIC, &now);
    /* Neighbouring seconds end up far from each other. */
    return now.tv_sec * 2741 % 7201 - 3600;
}

int clock_gettime(clockid_t id, struct timespec *time)
{
    int result = real_gettime(id, time);

    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        time->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *to)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (to != NULL)
        *to = now.tv_sec;
    return now.tv_sec;
}
