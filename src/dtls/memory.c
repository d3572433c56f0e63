/* What a handshake leaves in the heap. OpenSSL's buffer of one lives for minutes among what lives for a call, so that
 * malloc can neither join what is freed to a neighbour nor give it back: with a thousand calls that began together the
 * process would hold a thousand of them until the calls are over. So before such a block is freed, while it is still
 * ours, the system gets the pages within it; who is given the block next finds them anew. Buffers of records, which
 * come and go with each record, are below the bound. */
#include "dtls/dtls.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* SSL3_RT_MAX_PLAIN_LENGTH, as BUF_MEM grows: 21.8 kB; a record's is 17 kB. MARGIN: nothing of malloc's own is in
 * there, but then it need not be known. */
enum { BUFFER_MIN_BYTES = 20000, MARGIN_BYTES = 64 };
static uintptr_t page_bytes;

static void memory_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	size_t n = p ? malloc_usable_size(p) : 0;
	if (n >= BUFFER_MIN_BYTES) {
		uintptr_t from = ((uintptr_t)p + MARGIN_BYTES + page_bytes - 1) & ~(page_bytes - 1);
		uintptr_t to = ((uintptr_t)p + n - MARGIN_BYTES) & ~(page_bytes - 1);
		if (to > from)
			(void)madvise((void *)from, to - from, MADV_DONTNEED);
	}
	free(p);
}

bool dtls_memory_start(void)
{
	long n = sysconf(_SC_PAGESIZE);
	page_bytes = n > 0 ? (uintptr_t)n : 4096;
	return CRYPTO_set_mem_functions(NULL, NULL, memory_free) == 1;
}
