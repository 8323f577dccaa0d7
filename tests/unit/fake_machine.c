/* SPDX-License-Identifier: MIT */
/*
 * Machine memory, and the MMU in front of it.
 *
 *      fake.first_mfn                                         + nr_mfns
 *      |  frames[]: struct fake_frame, with its page of the file |
 *      +--------|---------------|------------------------------+
 *               v               v
 *      file  [ page | page | page | ...   in the order of first touch
 *        ^ ram: the whole file, for the fake     ^ ^ one page, wherever the guest mapped the frame
 *
 * The M2P is another file, mapped twice: writable for the fake, and read-only for the guest at
 * FAKE_M2P_BASE + 8 * MFN, so that a table for MFNs up to 2^40 costs only address space. A computed
 * M2P (struct fake_origin) is mapped for the guest one grain at a time, at the first access.
 */
#include "tests/unit/fake_grants.h"
#include "tests/unit/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define M2P_BYTES ((uint64_t)1 << (MFN_BITS + 3))
/* Limit of pages that are mapped one by one: Linux allows a process 65530 mappings. */
#define TLB_PAGES 20000
/* Limit of frames that are touched: 64 GiB; the file needs memory only for touched frames. */
#define RAM_PAGES (1u << 24)
/* number of MFNs whose M2P entries are computed together */
#define M2P_GRAIN ((uint64_t)1 << 13)

struct fake_xen fake;

static const uint64_t slots[] = {FAKE_KERNEL_SLOT, FAKE_HEAP_BASE, FAKE_LIST_BASE,
                                 FAKE_FOREIGN_BASE};
static int file = -1;
static uint8_t *ram;
static uint32_t nr_ram_pages;
static struct fake_frame *frames;
static const struct fake_origin *origin;
static bool *m2p_computed; /* one per grain; NULL: the whole M2P exists */
static uint64_t *m2p_writable, m2p_first,
    m2p_bytes; /* m2p_first: first_mfn rounded to a page of the M2P */
static unsigned int nr_cached;
static uint64_t image_pages[16]; /* pages of this program that have a frame */
static unsigned int nr_image_pages;
/* AddressSanitizer's handler, and the handler installed before ours: in a test, cmocka's. */
static struct sigaction reporter, previous, previous_illegal;

static void *map(uint64_t va, uint64_t len_bytes, int prot, int flags, int fd, uint64_t offset)
{
    void *p = mmap((void *)va, len_bytes, prot, flags | MAP_NORESERVE, fd, (off_t)offset);

    if (p == MAP_FAILED)
        fail_msg("mmap of %#lx bytes at %#lx failed", len_bytes, va);
    return p;
}

static void map_nothing(uint64_t va, uint64_t len_bytes)
{
    map(va, len_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static int new_file(const char *name, uint64_t len_bytes)
{
    int fd = memfd_create(name, 0);

    if (fd < 0 || ftruncate(fd, (off_t)len_bytes))
        fail_msg("creating a sparse file of %#lx bytes failed", len_bytes);
    return fd;
}

struct fake_frame *fake_frame(uint64_t mfn)
{
    return mfn - fake.first_mfn < fake.nr_mfns ? &frames[mfn - fake.first_mfn] : NULL;
}

uint64_t *fake_ram(uint64_t mfn)
{
    struct fake_frame *f = fake_frame(mfn);

    if (!f)
        fail_msg("the machine has no frame %#lx", mfn);
    if (!f->page) {
        if (nr_ram_pages == RAM_PAGES)
            fail_msg("the test touches more than %u frames", RAM_PAGES);
        f->page = ++nr_ram_pages;
        if (origin)
            origin->fill(mfn, (uint64_t *)(ram + (f->page - 1) * PAGE_SIZE));
    }
    return (uint64_t *)(ram + (f->page - 1) * PAGE_SIZE);
}

/* Computes the grain of the M2P that contains @mfn, unless it exists. */
static void compute_m2p(uint64_t mfn)
{
    uint64_t grain = (mfn - m2p_first) / M2P_GRAIN, first = grain * M2P_GRAIN;
    uint64_t end = min_u64(first + M2P_GRAIN, m2p_bytes / sizeof(uint64_t));

    if (!m2p_computed || m2p_computed[grain])
        return;
    m2p_computed[grain] = true;
    for (uint64_t i = first; i < end; i++)
        m2p_writable[i] = origin->pfn(m2p_first + i);
    mprotect((void *)(FAKE_M2P_BASE + (m2p_first + first) * sizeof(uint64_t)),
             (end - first) * sizeof(uint64_t), PROT_READ);
}

void fake_set_m2p(uint64_t mfn, uint64_t pfn)
{
    compute_m2p(mfn);
    m2p_writable[mfn - m2p_first] = pfn;
}

void fake_machine_set_origin(const struct fake_origin *new_origin)
{
    origin = new_origin;
    m2p_computed = calloc(m2p_bytes / sizeof(uint64_t) / M2P_GRAIN + 1, sizeof(*m2p_computed));
    mprotect((void *)(FAKE_M2P_BASE + m2p_first * sizeof(uint64_t)), m2p_bytes, PROT_NONE);
}

struct fake_mapping fake_walk(uint64_t va)
{
    struct fake_mapping m = {.mfn = fake.root, .level = PT_LEVELS, .writable = true};

    for (;; m.level--) {
        uint64_t pte = fake_ram(m.mfn)[pte_index(va, m.level)];

        m.present = pte_present(pte);
        m.writable = m.writable && (pte & PTE_W);
        m.mfn = pte_mfn(pte).v;
        if (!m.present)
            return m;
        if (pte_is_leaf(pte, m.level)) {
            m.mfn += (va & (level_bytes(m.level) - 1)) / PAGE_SIZE;
            return m;
        }
    }
}

/* A TLB miss: walks the page tables and fills the fake TLB. False: a page fault. */
static bool fill(uint64_t va, bool write)
{
    struct fake_mapping m = fake_walk(va);

    if (!m.present || (write && !m.writable))
        return false;
    if (++nr_cached > TLB_PAGES)
        fake_tlb_flush();
    map(ROUND_DOWN(va, PAGE_SIZE), PAGE_SIZE, PROT_READ | (m.writable ? PROT_WRITE : 0),
        MAP_SHARED | MAP_FIXED, file, (uint64_t)((uint8_t *)fake_ram(m.mfn) - ram));
    return true;
}

/* Is it an access of the guest to a grain of the M2P that is not computed yet? */
static bool fill_m2p(uint64_t va)
{
    uint64_t at = va - (FAKE_M2P_BASE + m2p_first * sizeof(uint64_t));

    if (!m2p_computed || at >= m2p_bytes || m2p_computed[at / sizeof(uint64_t) / M2P_GRAIN])
        return false;
    compute_m2p(m2p_first + at / sizeof(uint64_t));
    return true;
}

static bool in_slot(uint64_t va)
{
    for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
        if (va - slots[i] < FAKE_SLOT_BYTES)
            return true;
    return false;
}

static void page_fault(int signal, siginfo_t *info, void *context)
{
    uint64_t va = (uint64_t)info->si_addr;
    bool write = ((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR] & 2;

    if (fake_emulate(context))
        return;
    if ((in_slot(va) && fill(va, write)) || (!write && fill_m2p(va)))
        return;
    if (in_slot(va))
        fprintf(stderr, "# the guest cannot %s %#lx: level %u\n", write ? "write" : "read", va,
                fake_walk(va).level);
    sigaction(signal, &reporter, NULL); /* the access is repeated and reported with a backtrace */
}

static void illegal_instruction(int signal, siginfo_t *info, void *context)
{
    (void)info;
    if (!fake_emulate(context))
        sigaction(signal, &previous_illegal, NULL);
}

static void __attribute__((constructor)) save_reporter(void)
{
    sigaction(SIGSEGV, NULL, &reporter);
}

/* Maps a page of this program as the page tables say. */
static void show_image_page(uint64_t va)
{
    struct fake_mapping m = fake_walk(va);
    unsigned int i = 0;

    while (i < nr_image_pages && image_pages[i] != va)
        i++;
    if (i == ARRAY_SIZE(image_pages))
        fail_msg("adopting an image page: the fake has room for only %zu pages",
                 ARRAY_SIZE(image_pages));
    image_pages[i] = va;
    nr_image_pages += i == nr_image_pages;
    if (m.present)
        map(va, PAGE_SIZE, PROT_READ | (m.writable ? PROT_WRITE : 0), MAP_SHARED | MAP_FIXED, file,
            (uint64_t)((uint8_t *)fake_ram(m.mfn) - ram));
    else
        map_nothing(va, PAGE_SIZE);
}

void fake_tlb_flush_page(uint64_t va)
{
    va = ROUND_DOWN(va, PAGE_SIZE);
    if (in_slot(va))
        map_nothing(va, PAGE_SIZE);
    else
        show_image_page(va);
}

void fake_tlb_flush(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
        map_nothing(slots[i], FAKE_SLOT_BYTES);
    nr_cached = 0;
}

bool fake_tlb_writable(uint64_t va)
{
    int zero = open("/dev/zero", O_RDONLY);
    bool writable = read(zero, (void *)va, 1) == 1; /* Linux checks the mapping of this process */

    close(zero);
    return writable;
}

static void start_m2p(uint64_t end_mfn)
{
    int fd;

    m2p_first = ROUND_DOWN(fake.first_mfn, P2M_PER_PAGE);
    m2p_bytes = ROUND_UP((end_mfn - m2p_first) * sizeof(uint64_t), PAGE_SIZE);
    fd = new_file("fake M2P", m2p_bytes);
    m2p_writable = map(0, m2p_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    map_nothing(FAKE_M2P_BASE, M2P_BYTES);
    map(FAKE_M2P_BASE + m2p_first * sizeof(uint64_t), m2p_bytes, PROT_READ, MAP_SHARED | MAP_FIXED,
        fd, 0);
    close(fd);
    fake.m2p = (struct m2p){.table = (const uint64_t *)FAKE_M2P_BASE, .nr = end_mfn};
}

void fake_machine_start(uint64_t first_mfn, uint64_t nr_mfns)
{
    struct sigaction action = {.sa_sigaction = page_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

    if (ram)
        fake_machine_stop(); /* left by a test that failed */
    fake = (struct fake_xen){.first_mfn = first_mfn, .nr_mfns = nr_mfns, .no_nx = !pte_has_nx()};
    file = new_file("fake machine", RAM_PAGES * PAGE_SIZE);
    ram = map(0, RAM_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    nr_ram_pages = 0;
    frames = map(0, nr_mfns * sizeof(*frames), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                 -1, 0);
    start_m2p(first_mfn + nr_mfns);
    fake_tlb_flush();
    sigaction(SIGSEGV, &action, &previous);
    action.sa_sigaction = illegal_instruction;
    sigaction(SIGILL, &action, &previous_illegal);
}

void fake_machine_stop(void)
{
    sigaction(SIGSEGV, &previous, NULL);
    sigaction(SIGILL, &previous_illegal, NULL);
    for (unsigned int i = 0; i < nr_image_pages; i++)
        map(image_pages[i], PAGE_SIZE, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    nr_image_pages = 0;
    for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
        munmap((void *)slots[i], FAKE_SLOT_BYTES);
    munmap((void *)FAKE_M2P_BASE, M2P_BYTES);
    munmap(m2p_writable, m2p_bytes);
    munmap(frames, fake.nr_mfns * sizeof(*frames));
    munmap(ram, RAM_PAGES * PAGE_SIZE);
    ram = NULL;
    free(m2p_computed);
    m2p_computed = NULL;
    origin = NULL;
    close(file);
    fake_grants_stop();
    fake = (struct fake_xen){0};
}

int fake_machine_teardown(void **state)
{
    (void)state;
    fake_machine_stop();
    return 0;
}
