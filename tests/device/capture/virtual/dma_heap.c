/*
 * Lets libcamera allocate buffers where the kernel has no dma-buf heap: preloaded, it answers an
 * allocation with anonymous memory, which nothing but this processor ever touches.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

typedef int (*ioctl_function)(int, unsigned long, ...);

int ioctl(int file, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);

    if (request == DMA_HEAP_IOCTL_ALLOC) {
        struct dma_heap_allocation_data *wanted = argument;
        int memory = memfd_create("dma-buf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (memory < 0)
            return -1;
        if (ftruncate(memory, (off_t)wanted->len) < 0) {
            close(memory);
            return -1;
        }
        wanted->fd = (__u32)memory;
        return 0;
    }
    if (request == DMA_BUF_IOCTL_SYNC || request == DMA_BUF_SET_NAME)
        return 0;
    return ((ioctl_function)dlsym(RTLD_NEXT, "ioctl"))(file, request, argument);
}
