/* SPDX-License-Identifier: MIT */
#include "kernel/shell/xs.h"

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "xen/xenstore.h"

/* Terminates the first word of @text, and returns the text behind the blanks that follow it. */
static char *cut_word(char *text)
{
    char *end = strchr(text, ' ');

    if (!end)
        return text + strlen(text);
    *end++ = '\0';
    while (*end == ' ')
        end++;
    return end;
}

static int list_names(const char *path)
{
    struct xs_reply names;
    int rc = xs_list(0, path, &names);

    for (size_t i = 0; !rc && i < names.len_bytes; i += strlen(names.data + i) + 1)
        print("%s\n", names.data + i);
    return rc;
}

static int print_value(const char *path)
{
    struct xs_reply reply;
    int rc = xs_read(0, path, &reply);

    if (!rc)
        print("%s\n", reply.data);
    return rc;
}

int xs_command(struct domain *d, const char *arguments)
{
    char text[128], *verb = text, *path, *value; /* MAX_LEN of shell.c, and a 0 byte */
    int rc;

    (void)d;
    format(text, sizeof(text), "%s", arguments);
    path = cut_word(verb);
    value = cut_word(path);
    if (!strcmp(verb, "ls") && *path && !*value) {
        rc = list_names(path);
    } else if (!strcmp(verb, "read") && *path && !*value) {
        rc = print_value(path);
    } else if (!strcmp(verb, "write") && *path) {
        rc = xs_write(0, path, value);
    } else {
        return -EINVAL;
    }
    if (rc == -ENODEV)
        printk(LOG_ERROR,
               "xs: this domain has no xenstore connection: start_info names no xenstore ring\n");
    else if (rc)
        printk(LOG_ERROR, "xs %s %s: xenstore request failed: %d (%s)\n", verb, path, rc,
               errno_name(rc));
    return 0;
}
