/* What a user wrote in a search: every byte that LDAP's grammars know becomes an escape, so that a name is a name. */
#include "base/status.h"
#include "ldapdir/ldapdir_i.h"
#include <string.h>

static void hex_put(struct buf *out, unsigned char c)
{
	buf_printf(out, "\\%02x", c);
}

static int put(struct buf *out, const char *pattern, struct sv value, bool (*is_plain)(unsigned char c))
{
	for (const char *p = pattern; *p; p++) {
		if (p[0] != '%' || p[1] != 's') {
			buf_addc(out, *p);
			continue;
		}
		for (size_t i = 0; i < value.n; i++)
			if (is_plain((unsigned char)value.p[i]))
				buf_addc(out, value.p[i]);
			else
				hex_put(out, (unsigned char)value.p[i]);
		p++;
	}
	return out->failed ? ST_NOMEM : ST_OK;
}

static bool is_plain(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
	       c == '_' || c == '@';
}

int ld_filter_put(struct buf *out, const char *pattern, struct sv value)
{
	return put(out, pattern, value, is_plain);
}

int ld_name_put(struct buf *out, const char *pattern, struct sv value)
{
	return put(out, pattern, value, is_plain);
}
