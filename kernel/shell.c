/* SPDX-License-Identifier: MIT */
#include "kernel/shell.h"

#include "lib/printk.h"

#include "xen/console.h"

#include "kernel/orders.h"

#define PROMPT    "xenolith> "

#define CTRL(key) ((key) - '@')
#define ESCAPE    0x1b
#define DELETE    0x7f

/* What is being typed. */
static struct {
    char text[128];
    size_t len;
    enum { PLAIN, ESCAPED, SEQUENCE } state; /* a cursor key is ESC, '[', and a letter */
} line;

static bool shows(const struct domain *d)
{
    return d->options.shell == SHELL_EDIT;
}

static void prompt(const struct domain *d)
{
    if (d->options.shell != SHELL_NONE)
        print(PROMPT);
}

static void end_line(struct domain *d)
{
    line.text[line.len] = '\0';
    if (shows(d))
        print("\n");
    if (line.len)
        order_obey(d, line.text);
    line.len = 0;
    prompt(d);
}

/* Takes back @n characters, on the screen too. */
static void erase(const struct domain *d, size_t n)
{
    for (; n; n--, line.len--)
        if (shows(d))
            print("\b \b");
}

static void add(const struct domain *d, char c)
{
    if (c < ' ' || c >= DELETE || line.len == sizeof(line.text) - 1)
        return;
    line.text[line.len++] = c;
    if (shows(d))
        print("%c", c);
}

static void take_plain(struct domain *d, char c)
{
    switch (c) {
    case '\r':
    case '\n':
        end_line(d);
        break;
    case '\b':
    case DELETE:
        erase(d, line.len > 0);
        break;
    case CTRL('U'):
        erase(d, line.len);
        break;
    case CTRL('C'):
        line.len = 0;
        if (shows(d))
            print("^C\n" PROMPT);
        break;
    case ESCAPE:
        line.state = ESCAPED;
        break;
    default:
        add(d, c);
    }
}

static void take(struct domain *d, char c)
{
    switch (line.state) {
    case PLAIN:
        take_plain(d, c);
        break;
    case ESCAPED:
        line.state = c == '[' || c == 'O' ? SEQUENCE : PLAIN;
        break;
    case SEQUENCE:
        if (c >= '@' && c <= '~')
            line.state = PLAIN;
        break;
    }
}

void shell_start(struct domain *d)
{
    if (d->options.shell == SHELL_NONE)
        return;
    print("A %s of %lu MiB on Xen %u.%u%s. \"help\" lists what can be asked.\n",
          boot_info_is_initdomain(&d->boot) ? "dom0" : "domU",
          d->balloon.nr_pages / ((1 << 20) / PAGE_SIZE), d->host.major, d->host.minor,
          d->host.extra);
    prompt(d);
}

bool shell_listen(struct domain *d)
{
    char bytes[32];
    size_t n = console_read(bytes, sizeof(bytes));

    for (size_t i = 0; i < n; i++)
        take(d, bytes[i]);
    return n > 0;
}
