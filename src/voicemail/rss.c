/* The messages of a box as an RSS 2.0 channel, for readers that fetch it over the web (the command's host, port and uri
 * say where they find the files). */
#include "text/xml.h"
#include "voicemail/vm_i.h"
#include <time.h>

static void element_put(struct buf *out, const char *name, struct sv value)
{
	buf_printf(out, "<%s>", name);
	xml_escape(out, value, false);
	buf_printf(out, "</%s>", name);
}

static void date_put(struct buf *out, int64_t at_s)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)at_s;
	struct tm tm;
	if (!gmtime_r(&t, &tm))
		return;
	buf_printf(out, "<pubDate>%.3s, %02d %.3s %d %02d:%02d:%02d +0000</pubDate>", days + 3 * tm.tm_wday, tm.tm_mday,
	    months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void item_put(struct buf *out, const struct vm_msg *m, struct sv base)
{
	const char *slash = strrchr(m->path, '/');
	struct buf b;
	buf_init(&b);
	buf_printf(&b, "Message from %s %s", m->cid_name, m->cid_number);
	buf_adds(out, "  <item>");
	element_put(out, "title", buf_sv(&b));
	buf_clear(&b);
	buf_printf(&b, "%u s, %s", m->length_s, m->read_s ? "saved" : "new");
	element_put(out, "description", buf_sv(&b));
	date_put(out, m->created_s);
	element_put(out, "guid", sv_of(m->uuid));
	buf_clear(&b);
	buf_printf(&b, "%.*s/get/%s", SVF(base), slash ? slash + 1 : m->path);
	element_put(out, "link", buf_sv(&b));
	buf_adds(out, "</item>\n");
	buf_fini(&b);
}

int vm_rss_put(struct vm_db *db, const char *user, const char *domain, const char *host, const char *port,
    const char *uri, struct buf *out)
{
	struct vm_msgs all;
	struct buf base, title;
	int st = vm_db_list(db, user, domain, VM_ALL, false, NULL, &all);
	buf_init(&base), buf_init(&title);
	buf_printf(&base, "http://%s:%s%s", host, port, uri);
	buf_printf(&title, "Voicemail of %s@%s", user, domain);
	buf_adds(out, "<?xml version=\"1.0\"?>\n<rss version=\"2.0\">\n <channel>\n  ");
	element_put(out, "title", buf_sv(&title));
	element_put(out, "link", buf_sv(&base));
	element_put(out, "description", buf_sv(&title));
	buf_adds(out, "\n");
	for (unsigned i = 0; !st && i < all.count; i++)
		item_put(out, &all.list[i], buf_sv(&base));
	buf_adds(out, " </channel>\n</rss>\n");
	vm_msgs_fini(&all);
	buf_fini(&base), buf_fini(&title);
	return st;
}
