/* All that is started of a machine: loads the module that lies beside it, and asks for a trial. */
#include <stddef.h>

#define SYS_openat 56
#define SYS_write 64
#define SYS_reboot 142
#define SYS_finit_module 273
#define AT_FDCWD (-100)

static long call(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}

void _start(void)
{
	static const char module[] = "/module.ko", loaded[] = "loaded\n", refused[] = "refused\n";
	long file = call(SYS_openat, AT_FDCWD, (long)module, 0, 0);
	long error = call(SYS_finit_module, file, (long)"", 0, 0);

	if (error)
		call(SYS_write, 1, (long)refused, sizeof(refused) - 1, 0);
	else
		call(SYS_write, 1, (long)loaded, sizeof(loaded) - 1, 0);
	/* reboot(2): LINUX_REBOOT_CMD_RESTART2, as systemctl reboot --reboot-argument does. */
	call(SYS_reboot, 0xfee1dead, 672274793, 0xa1b2c3d4, (long)"0 tryboot");
}
