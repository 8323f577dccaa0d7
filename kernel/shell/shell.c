/* SPDX-License-Identifier: MIT */
#include "kernel/shell/shell.h"

#include "lib/printk.h"

#include "xen/console.h"

#include "kernel/shell/commands.h"

#define PROMPT    "xenolith> "

#define CTRL(key) ((key) - '@')
#define BELL      CTRL('G')
#define ESCAPE    0x1b
#define DELETE    0x7f

#define MAX_LEN   127

/* What is being typed. A cursor key is ESC, '[', and a letter, with digits between them or not. */
static struct {
    char text[MAX_LEN + 1];
    size_t len;
    bool overflowed; /* more was typed than there is room for */
    enum { PLAIN, ESCAPED, SEQUENCE } state;
} line;

static bool shows(const struct domain *d)
{
    return d->options.shell == SHELL_EDIT;
}

/* Not when the domain is about to end. */
static void prompt(const struct domain *d)
{
    if (d->options.shell != SHELL_NONE && d->options.done == DONE_WAIT)
        print(PROMPT);
}

static void empty(void)
{
    line.len = 0;
    line.overflowed = false;
}

/* Half an order is another order: it is not obeyed. */
static void end_line(struct domain *d)
{
    while (line.len && line.text[line.len - 1] == ' ')
        line.len--;
    line.text[line.len] = '\0';
    if (shows(d))
        print("\n");
    if (line.overflowed)
        print("expected a line of up to %u characters: this one is longer, and not obeyed\n",
              MAX_LEN);
    else if (line.len)
        command_run(d, line.text);
    empty();
    prompt(d);
}

/* Takes back @n characters, on the screen too, where what did not fit was never seen. */
static void erase(const struct domain *d, size_t n)
{
    line.overflowed = false;
    for (; n; n--, line.len--)
        if (shows(d))
            print("\b \b");
}

static void add(const struct domain *d, char c)
{
    if (c < ' ' || c >= DELETE) /* a control character; a byte past ASCII is below zero */
        return;
    line.overflowed = line.len == MAX_LEN;
    if (!line.overflowed)
        line.text[line.len++] = c;
    if (shows(d))
        print("%c", line.overflowed ? BELL : c);
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
        empty();
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

static bool is_control(char c)
{
    return (c >= 0 && c < ' ') || c == DELETE;
}

/* A control character ends what is no sequence after all, and is what it always is. */
static void take(struct domain *d, char c)
{
    if (line.state == PLAIN || is_control(c)) {
        line.state = PLAIN;
        take_plain(d, c);
    } else if (line.state == ESCAPED) {
        line.state = c == '[' || c == 'O' ? SEQUENCE : PLAIN;
    } else if (c >= '@' && c <= '~') {
        line.state = PLAIN;
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
