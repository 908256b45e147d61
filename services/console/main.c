#include "console.h"

int main(void)
{
    uint64_t events, deadline;

    if (diosix_register_service(DIOSIX_SERVICE_CONSOLE) != DIOSIX_OK) {
        diosix_print("console: may not be the console service\r\n");
        return 1;
    }
    console_start();
    for (;;) {
        console_turn(&events, &deadline);
        diosix_wait(events, deadline);
    }
}
