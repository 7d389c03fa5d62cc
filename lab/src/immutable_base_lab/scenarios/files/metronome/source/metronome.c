// SPDX-License-Identifier: GPL-2.0-only
/* Beats once in a second and shows in /proc/metronome how often: a module that compiles in seconds. */
#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/timer.h>

static struct timer_list pendulum;
static atomic_t beats = ATOMIC_INIT(0);

static void beat(struct timer_list *timer)
{
	atomic_inc(&beats);
	mod_timer(timer, jiffies + HZ);
}

static int show(struct seq_file *file, void *unused)
{
	seq_printf(file, "%d\n", atomic_read(&beats));
	return 0;
}

static int __init metronome_start(void)
{
	if (!proc_create_single("metronome", 0444, NULL, show))
		return -ENOMEM;
	timer_setup(&pendulum, beat, 0);
	mod_timer(&pendulum, jiffies + HZ);
	return 0;
}

static void __exit metronome_stop(void)
{
	remove_proc_entry("metronome", NULL);
	timer_delete_sync(&pendulum);
}

module_init(metronome_start);
module_exit(metronome_stop);
MODULE_DESCRIPTION("Beats once in a second");
MODULE_AUTHOR("immutable-base's lab");
MODULE_LICENSE("GPL");
MODULE_VERSION("@VERSION@");
