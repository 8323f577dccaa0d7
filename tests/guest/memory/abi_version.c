/* SPDX-License-Identifier: MIT */
/*
 * What Xen says of itself: XENVER_* of <xen/version.h>.
 *
 * Without these tests Xen could write past a structure, leave bytes of its own stack in one, name a
 * capability that it has not, or tell a domU what only a dom0 may know. A kernel selects its
 * interfaces by these answers.
 */
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "xen/xenstore.h"

#include "tests/guest/abi_room.h"

#include <xen/version.h>

#define UNWRITTEN 0xa5
#define ENODATA   61 /* <xen/errno.h>: this Xen was linked without a build ID */
#define ENOBUFS   105

#define MAX_BYTES 1024

/* A structure of Xen's, and bytes behind it that Xen must not write. */
static union {
    uint8_t bytes[MAX_BYTES + 64];
    uint64_t words[(MAX_BYTES + 64) / 8];
} answer;

static long ask(unsigned int cmd)
{
    memset(&answer, UNWRITTEN, sizeof(answer));
    return HYPERVISOR_xen_version(cmd, &answer);
}

/* Nothing from byte @from on may be written. */
static void check_unwritten(struct test *t, size_t from, const char *name)
{
    size_t i = from;

    while (i < sizeof(answer) && answer.bytes[i] == UNWRITTEN)
        i++;
    CHECK(i == sizeof(answer),
          "%s: Xen wrote byte %lu of the buffer, expected no byte from %lu on to be written", name,
          i, from);
}

/* A string of @size bytes at @at: printable, with a 0, and nothing but 0 behind. */
static void check_string(struct test *t, size_t at, size_t size, const char *name)
{
    const char *s = (const char *)answer.bytes + at;
    size_t len = strnlen(s, size), i;

    CHECK(len < size, "%s: no 0 in %lu bytes, expected a string that ends", name, size);
    for (i = 0; i < len && s[i] >= ' ' && s[i] <= '~'; i++)
        ;
    CHECK(i == len, "%s: byte %lu is 0x%x, expected a printable character", name, i, s[i] & 0xff);
    for (i = len; i < size && !s[i]; i++)
        ;
    CHECK(i >= size || len == size,
          "%s: byte %lu, behind the end of the string, is 0x%x, expected 0", name, i,
          i < size ? s[i] & 0xff : 0);
}

static const struct {
    const char *name;
    unsigned int cmd;
    size_t at, size, total;
} strings[] = {
    {"XENVER_extraversion",            XENVER_extraversion, 0,                                XEN_EXTRAVERSION_LEN, XEN_EXTRAVERSION_LEN            },
    {"XENVER_compile_info: compiler",  XENVER_compile_info,
     offsetof(struct xen_compile_info,                                                        compiler),            64,                               sizeof(struct xen_compile_info)},
    {"XENVER_compile_info: compile_by",                                XENVER_compile_info,
     offsetof(struct xen_compile_info, compile_by),                                                                              16,                                                                                                   sizeof(struct xen_compile_info)},
    {"XENVER_compile_info: compile_domain", XENVER_compile_info,
     offsetof(struct xen_compile_info,                compile_domain),                 32,                                                                                                                sizeof(struct xen_compile_info)},
    {"XENVER_compile_info: compile_date",                              XENVER_compile_info,
     offsetof(struct xen_compile_info,                                                  compile_date),                    32,sizeof(struct xen_compile_info)},
    {"XENVER_capabilities",                   XENVER_capabilities,                                    0,XEN_CAPABILITIES_INFO_LEN,
     XEN_CAPABILITIES_INFO_LEN                                                                                                            },
    {"XENVER_changeset",                               XENVER_changeset,0,                                                               XEN_CHANGESET_INFO_LEN,                                                                                   XEN_CHANGESET_INFO_LEN},
};

TEST_RULE(abi_version_strings,
          "each XENVER string ends, is printable, and fills its field with zeros")
{
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
        CHECK_RC(ask(strings[i].cmd), 0, "%s", strings[i].name);
        check_string(t, strings[i].at, strings[i].size, strings[i].name);
        check_unwritten(t, strings[i].total, strings[i].name);
    }
}

/* Does the text have the word, with a blank or the end behind it? */
static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);

    for (const char *s = text; *s; s++)
        if ((s == text || s[-1] == ' ') && !strncmp(s, word, len) && (!s[len] || s[len] == ' '))
            return true;
    return false;
}

/* Each word is "KIND-MAJOR.MINOR-ARCH": the kinds of guests that this Xen can run. */
TEST_RULE(abi_capabilities, "XENVER_capabilities names this kind of guest: xen-3.0-x86_64")
{
    const char *s = (const char *)answer.bytes;

    CHECK_RC(ask(XENVER_capabilities), 0, "XENVER_capabilities");
    answer.bytes[MAX_BYTES - 1] = 0;
    if (t->d->host.has_flask && !*s) {
        test_skip(t, "XSM/FLASK denies XENVER_capabilities");
        return;
    }
    CHECK(has_word(s, "xen-3.0-x86_64"),
          "XENVER_capabilities is \"%.100s\", expected a word \"xen-3.0-x86_64\"", s);
    while (*s) {
        const char *end = strchr(s, ' ');

        CHECK(!strncmp(s, "xen-3.0-x86_", 12) || !strncmp(s, "hvm-3.0-x86_", 12),
              "XENVER_capabilities: a word is \"%.20s\", expected \"xen-3.0-x86_...\" or "
              "\"hvm-3.0-x86_...\"",
              s);
        if (!end)
            break;
        s = end + 1;
    }
}

TEST_RULE(abi_version, "XENVER numbers are those of the headers: version, page size, Xen's address")
{
    long version = HYPERVISOR_xen_version(XENVER_version, NULL);
    unsigned int major = (unsigned int)(version >> 16), minor = version & 0xffff;

    CHECK(version > 0 && major >= 4 && major < 100 && minor < 1000,
          "XENVER_version is 0x%lx, expected (major << 16) + minor, and 4 or more as major",
          version);
    CHECK_RC(ask(XENVER_version), version, "XENVER_version with an argument");
    check_unwritten(t, 0, "XENVER_version");

    CHECK_RC(ask(XENVER_platform_parameters), 0, "XENVER_platform_parameters");
    if (answer.words[0] || (major == 4 && minor < 18)) /* a debug build of 4.18 or newer: 0 */
        CHECK_EQ(answer.words[0], HYPERVISOR_VIRT_START,
                 "virt_start of XENVER_platform_parameters");
    check_unwritten(t, sizeof(struct xen_platform_parameters), "XENVER_platform_parameters");

    if (t->d->host.has_flask)
        return; /* FLASK may deny XENVER_pagesize */
    CHECK_RC(HYPERVISOR_xen_version(XENVER_pagesize, NULL), (long)PAGE_SIZE, "XENVER_pagesize");
    CHECK_RC(ask(XENVER_pagesize), -EINVAL, "XENVER_pagesize with an argument");
    check_unwritten(t, 0, "XENVER_pagesize");
}

/* Xen's command line may name secrets of the host. */
TEST_RULE(abi_commandline, "XENVER_commandline tells a dom0 Xen's arguments, and a domU nothing")
{
    long rc = ask(XENVER_commandline);

    CHECK_RC(rc, 0, "XENVER_commandline");
    if (boot_info_is_initdomain(&t->d->boot)) {
        size_t len = strnlen((const char *)answer.bytes, sizeof(xen_commandline_t));

        CHECK(len < sizeof(xen_commandline_t), "XENVER_commandline: no 0 in %lu bytes",
              sizeof(xen_commandline_t));
        check_unwritten(t, sizeof(xen_commandline_t), "XENVER_commandline");
    } else if (!t->d->host.has_flask) {
        check_unwritten(t, sizeof("<denied>"), "XENVER_commandline in a domU");
        answer.bytes[sizeof("<denied>")] = 0;
        CHECK(!strcmp((const char *)answer.bytes, "<denied>"),
              "XENVER_commandline in a domU is \"%.40s\", expected \"<denied>\"",
              (const char *)answer.bytes);
    }
}

/* A buffer of @len bytes for a build ID of @size bytes. */
static void try_build_id(struct test *t, uint32_t len, uint32_t size)
{
    bool fits = len >= size;
    long rc;

    memset(&answer, UNWRITTEN, sizeof(answer));
    memcpy(answer.bytes, &len, sizeof(len));
    rc = HYPERVISOR_xen_version(XENVER_build_id, &answer);
    if (len || rc != -EINVAL) /* up to Xen 4.17, a length of 0 is invalid */
        CHECK_RC(rc, fits ? (long)size : -ENOBUFS,
                 "XENVER_build_id with a buffer of %u bytes for %u", len, size);
    CHECK_EQ(*(const uint32_t *)answer.words, len,
             "XENVER_build_id with a buffer of %u bytes for %u: len", len, size);
    check_unwritten(t, sizeof(len) + (fits ? size : 0), "XENVER_build_id");
}

TEST_RULE(abi_build_id, "XENVER_build_id fits its buffer, and is denied to a domU")
{
    long size = HYPERVISOR_xen_version(XENVER_build_id, NULL);

    if (size == -ENODATA) {
        test_skip(t, "this Xen has no build ID");
        return;
    }
    if (t->d->host.has_flask && size == -EPERM) {
        test_skip(t, "XSM/FLASK denies XENVER_build_id");
        return;
    }
    if (!boot_info_is_initdomain(&t->d->boot)) {
        if (!t->d->host.has_flask)
            CHECK_RC(size, -EPERM, "XENVER_build_id in a domU");
        return;
    }
    CHECK(size > 0 && size < 256, "XENVER_build_id without a buffer is %ld, expected a size", size);
    for (uint32_t len = 0; size > 0 && len < size + 3; len++)
        try_build_id(t, len, (uint32_t)size);
}

/* The handle as text, as libxl writes it to xenstore: "/vm/00112233-4455-...". */
static void format_handle(char *text, size_t len_bytes)
{
    size_t at = format(text, len_bytes, "/vm/");

    for (unsigned int i = 0; i < 16; i++)
        at += format(text + at, len_bytes - at, "%s%02x",
                     i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", answer.bytes[i]);
}

TEST_RULE(abi_guest_handle, "XENVER_guest_handle is the UUID that the toolstack gave this domain")
{
    struct xs_reply vm;
    char text[64];

    CHECK_RC(ask(XENVER_guest_handle), 0, "XENVER_guest_handle");
    check_unwritten(t, 16, "XENVER_guest_handle");
    if (!xenstore_is_connected() || xs_read(0, "vm", &vm) || t->d->host.has_flask ||
        boot_info_is_shim(&t->d->boot))
        return;
    format_handle(text, sizeof(text));
    CHECK(vm.len_bytes == strlen(text) && !memcmp(vm.data, text, vm.len_bytes),
          "XENVER_guest_handle is %s, expected %.*s as the node \"vm\" of xenstore says", text,
          (int)vm.len_bytes, vm.data);
}

/* Numbers that no Xen has: removed commands, and such past the last one. */
TEST_RULE(abi_unknown_facts, "unknown commands of memory_op and xen_version fail with ENOSYS")
{
    static const unsigned int memory[] = {8, 40, 50, 63},
                              version[] = {40, 63, 64, 1000, UINT32_MAX};

    if (shim_is_between(t))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(memory); i++) {
        memset(&answer, UNWRITTEN, sizeof(answer));
        CHECK_RC(HYPERVISOR_memory_op(memory[i], &answer), -ENOSYS, "memory_op, command %u",
                 memory[i]);
        check_unwritten(t, 0, "memory_op with an unknown command");
    }
    for (size_t i = 0; i < ARRAY_SIZE(version); i++) {
        CHECK_RC(ask(version[i]), -ENOSYS, "xen_version, command %u", version[i]);
        check_unwritten(t, 0, "xen_version with an unknown command");
    }
}
