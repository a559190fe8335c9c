/** macvlan-v6 with access to the host, struck at every named step of ADD and of DEL. */
import { WITH_HOST, WITH_HOST_BESIDE } from './macvlan-flavours.ts';
import { strike } from './striking.ts';

strike('macvlan-v6', [WITH_HOST, WITH_HOST_BESIDE]);
