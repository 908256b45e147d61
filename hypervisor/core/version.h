/* One place for the version. The number is what the SBI reports (SBI 3.0, 4.3). */
#ifndef DIOSIX_VERSION_H
#define DIOSIX_VERSION_H

#define DIOSIX_VERSION        "0.1.0"
#define DIOSIX_VERSION_NUMBER 0x000100UL /* major << 16 | minor << 8 | patch */

#endif
