/* How far a text is plain: what renders and checks texts copies runs of bytes that need no second look, and most texts
 * are one run. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline int scan_is_plain_byte(unsigned char c, char not_a, char not_b)
{
	return c >= 0x20 && c < 0x7f && c != (unsigned char)not_a && c != (unsigned char)not_b;
}

#ifdef __SSE2__
/* A bit for each of sixteen bytes that is not plain. */
static inline unsigned scan_odd_bits(const char *p, char not_a, char not_b)
{
	/* signed: bytes from 0x80 on are below the blank */
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i odd =
	    _mm_or_si128(_mm_or_si128(_mm_cmplt_epi8(x, _mm_set1_epi8(0x20)), _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f))),
	        _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(not_a)), _mm_cmpeq_epi8(x, _mm_set1_epi8(not_b))));
	return (unsigned)_mm_movemask_epi8(odd);
}
#endif

static inline int scan_is_word_byte(unsigned char c)
{
	unsigned char low = c | 0x20;
	return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

#ifdef __SSE2__
static inline __m128i scan_between(__m128i x, char from, char to)
{
	return _mm_and_si128(
	    _mm_cmpgt_epi8(x, _mm_set1_epi8((char)(from - 1))), _mm_cmplt_epi8(x, _mm_set1_epi8((char)(to + 1))));
}

static inline unsigned scan_not_word_bits(const char *p)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i is_word = _mm_or_si128(scan_between(_mm_or_si128(x, _mm_set1_epi8(0x20)), 'a', 'z'),
	    _mm_or_si128(_mm_or_si128(scan_between(x, '0', '9'), scan_between(x, '-', '.')),
	        _mm_cmpeq_epi8(x, _mm_set1_epi8('_'))));
	return (unsigned)_mm_movemask_epi8(is_word) ^ 0xffff;
}
#endif

/* The number of bytes from the beginning that are letters, digits or any of "_-.". */
static inline size_t scan_word(const char *p, size_t n)
{
	size_t i = 0;
#ifdef __SSE2__
	unsigned odd;

	for (; i + 16 <= n; i += 16)
		if ((odd = scan_not_word_bits(p + i)))
			return i + (size_t)__builtin_ctz(odd);
	if (n >= 16 && i < n) {
		odd = scan_not_word_bits(p + n - 16);
		return odd ? n - 16 + (size_t)__builtin_ctz(odd) : n;
	}
#endif
	while (i < n && scan_is_word_byte((unsigned char)p[i]))
		i++;
	return i;
}

/* Copies all of them to where there is room for SCAN_STEP bytes more than they are, and returns the same number: short
 * texts, as most are, are looked at in one step too. */
enum { SCAN_STEP = 16 };
static inline size_t scan_copy_word(char *to, const char *p, size_t n)
{
	if (!n)
		return 0;
	memcpy(to, p, n);
#ifdef __SSE2__
	for (size_t i = 0; i < n; i += SCAN_STEP) {
		unsigned odd = scan_not_word_bits(to + i);
		if (n - i < SCAN_STEP)
			odd &= (1u << (n - i)) - 1;
		if (odd)
			return i + (size_t)__builtin_ctz(odd);
	}
	return n;
#else
	return scan_word(to, n);
#endif
}

/* The number of bytes from the beginning that are printable ASCII (blank to tilde) and neither of the two. */
static inline size_t scan_plain(const char *p, size_t n, char not_a, char not_b)
{
	size_t i = 0;
#ifdef __SSE2__
	unsigned odd;

	for (; i + 16 <= n; i += 16)
		if ((odd = scan_odd_bits(p + i, not_a, not_b)))
			return i + (size_t)__builtin_ctz(odd);
	if (n >= 16 && i < n) { /* the last sixteen, some of them seen already */
		odd = scan_odd_bits(p + n - 16, not_a, not_b);
		return odd ? n - 16 + (size_t)__builtin_ctz(odd) : n;
	}
#endif
	while (i < n && scan_is_plain_byte((unsigned char)p[i], not_a, not_b))
		i++;
	return i;
}

/* The same, and copies them to where there is room for SCAN_STEP bytes more than they are: what is behind them there is
 * overwritten. */
static inline size_t scan_copy_plain(char *to, const char *p, size_t n, char not_a, char not_b)
{
	size_t i = 0;
#ifdef __SSE2__
	for (; i + SCAN_STEP <= n; i += SCAN_STEP) {
		unsigned odd = scan_odd_bits(p + i, not_a, not_b);
		memcpy(to + i, p + i, SCAN_STEP);
		if (odd)
			return i + (size_t)__builtin_ctz(odd);
	}
#endif
	for (; i < n && scan_is_plain_byte((unsigned char)p[i], not_a, not_b); i++)
		to[i] = p[i];
	return i;
}
