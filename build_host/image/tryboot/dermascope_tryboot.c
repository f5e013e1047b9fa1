// SPDX-License-Identifier: GPL-2.0-only
/*
 * Has a Raspberry Pi's firmware try the other system once, at a restart with "0 tryboot".
 *
 * Raspberry Pi's own kernel does so itself (drivers/firmware/raspberrypi.c); Debian's, which this
 * is built for, does not tell the firmware of it, and so would start the old system again.
 */
#include <linux/mod_devicetable.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/of.h>
#include <linux/reboot.h>
#include <linux/string.h>
#include <soc/bcm2835/raspberrypi-firmware.h>

/* A tag of the property mailbox, and its first bit: the next start is a trial. */
#define SET_REBOOT_FLAGS 0x00038064
#define TRYBOOT 1

static struct rpi_firmware *firmware;

static int ask(struct notifier_block *block, unsigned long action, void *command)
{
	u32 flags = TRYBOOT;
	int error;

	if (action != SYS_RESTART || !command || !strstr(command, " tryboot"))
		return NOTIFY_DONE;
	error = rpi_firmware_property(firmware, SET_REBOOT_FLAGS, &flags, sizeof(flags));
	if (error)
		pr_err("dermascope_tryboot: the firmware refuses a trial (%d)\n", error);
	else
		pr_info("dermascope_tryboot: the firmware was asked for a trial\n");
	return NOTIFY_DONE;
}

static struct notifier_block at_restart = { .notifier_call = ask };

static int __init start(void)
{
	struct device_node *node = rpi_firmware_find_node();
	int error;

	if (!node)
		return -ENODEV;
	firmware = rpi_firmware_get(node);
	of_node_put(node);
	if (!firmware)
		return -ENODEV;
	error = register_reboot_notifier(&at_restart);
	if (error)
		rpi_firmware_put(firmware);
	return error;
}

static void __exit end(void)
{
	unregister_reboot_notifier(&at_restart);
	rpi_firmware_put(firmware);
}

/* Loaded by udev wherever there is such a firmware, and nowhere else. */
static const struct of_device_id of_firmware[] = {
	{ .compatible = "raspberrypi,bcm2835-firmware" },
	{ }
};
MODULE_DEVICE_TABLE(of, of_firmware);

module_init(start);
module_exit(end);
MODULE_DESCRIPTION("Asks a Raspberry Pi's firmware to try another system");
MODULE_LICENSE("GPL");
