/** macvlan-v6 with addresses of routers and of another plugin, struck at every named step of ADD and of DEL. */
import { ADVERTISED, DELEGATED } from './macvlan-flavours.ts';
import { strike } from './striking.ts';

strike('macvlan-v6', [ADVERTISED, DELEGATED]);
