/*
 * A resolver that says what the test wants. Loaded into a process by LD_PRELOAD.
 *
 * The name MQ_NAME has the address that stands in the file MQ_ADDRESS, and none while that file is
 * empty. The file is read by each question: what a program goes on to use without asking again, it
 * has kept by itself. Each question adds a line to the file MQ_ASKED. Other names are none of ours.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int getaddrinfo_call(const char *, const char *, const struct addrinfo *,
                             struct addrinfo **);

int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict result)
{
    static getaddrinfo_call *real;
    const char *name = getenv("MQ_NAME"), *path = getenv("MQ_ADDRESS"), *asked = getenv("MQ_ASKED");
    char address[64] = "";
    FILE *file;

    if (real == NULL)
        real = (getaddrinfo_call *)dlsym(RTLD_NEXT, "getaddrinfo");
    if (node == NULL || name == NULL || path == NULL || strcmp(node, name) != 0)
        return real(node, service, hints, result);
    if (asked != NULL && (file = fopen(asked, "a")) != NULL) {
        fputs("asked\n", file);
        fclose(file);
    }
    if ((file = fopen(path, "r")) != NULL) {
        if (fscanf(file, "%63s", address) != 1)
            address[0] = '\0';
        fclose(file);
    }
    if (address[0] == '\0')
        return EAI_NONAME;
    return real(address, service, hints, result);
}
