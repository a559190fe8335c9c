/** macvlan-v6 beside another container on the master, struck at every named step of ADD and of DEL. */
import { BESIDE } from './macvlan-flavours.ts';
import { strike } from './striking.ts';

strike('macvlan-v6', [BESIDE]);
