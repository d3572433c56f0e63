/* Where a recording goes when it is no file of this machine: a URL, to which the file is sent once it is complete
 * (mod_http_cache). */
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/sound/sound_i.h"
#include "media/ctl/mctl.h"
#include "text/mark.h"

char *leg_url_dup(struct leg *leg, const char *text)
{
	struct buf url;

	buf_init(&url);
	if (!mctl_url_plain(&url, sv_of(text)))
		return buf_take(&url);
	buf_clear(&url);
	mark_strip(&url, sv_of(text));
	leg_log(leg, LOG_WARNING, "not a URL to record to, or one that comes from outside: %.200s", url.p ? url.p : "");
	buf_fini(&url);
	return NULL;
}
