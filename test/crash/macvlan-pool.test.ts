/** macvlan-v6 with addresses of the store, killed at every named step of ADD and of DEL, and failing there. */
import { POOL } from './macvlan-flavours.ts';
import { strike } from './striking.ts';

strike('macvlan-v6', [POOL]);
