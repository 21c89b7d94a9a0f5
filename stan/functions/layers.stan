/* Layers: several networks of the same nodes, in one space.
 *
 * A member is a node in a layer that has it. The members of a layer follow each other. To the
 * sums over edges and pairs they are nodes: only pairs of one layer are summed over.
 */

/**
 * Positions of members.
 *
 * In layer l nodes are where they are in the layer it comes from, which is an earlier one, and a
 * change further:
 *
 *     z_l = z_from + scale * step_l * change
 *
 * @param z positions that no change has moved, a row a node
 * @param change the changes, in the order of the layers that have one, a row a node
 * @param scale of the changes, >= 0
 * @param from the layer that each comes from; 0: z
 * @param step how far each layer's change goes, in units of scale; 0: it has none
 * @param node each member's node
 * @param sizes how many members each layer has
 * @return a row a member; of one layer without a change z itself
 */
matrix positions_of_members(matrix z, array[] matrix change, real scale,
                            array[] int from, vector step, array[] int node,
                            array[] int sizes) {
  int n_layers = size(from);
  array[n_layers] matrix[rows(z), cols(z)] position = rep_array(z, n_layers);
  matrix[size(node), cols(z)] of_members;
  int last = 0;
  int used = 0;
  if (n_layers == 1 && size(change) == 0)
    return z;
  for (l in 1 : n_layers) {
    int first = last + 1;
    last += sizes[l];
    if (from[l] > 0)
      position[l] = position[from[l]];
    if (step[l] > 0) {
      used += 1;
      position[l] += scale * step[l] * change[used];
    }
    of_members[first : last] = position[l][node[first : last]];
  }
  return of_members;
}

/**
 * Levels of members, by their layers.
 *
 * @param intercept one a layer, or none
 * @param layer each member's layer
 * @return one a member; 0 without intercepts
 */
vector levels_of_members(vector intercept, array[] int layer) {
  if (size(intercept) == 0)
    return rep_vector(0, size(layer));
  if (size(intercept) == 1)
    return rep_vector(intercept[1], size(layer));
  return intercept[layer];
}

/**
 * Normal density of changes in units of their scale, with that of the scale.
 *
 * @param raw the changes, independent std_normal; or none
 * @param log_sigma_change logarithm of the scale; of size 0 where it is fixed
 * @param scale of its half-normal density, > 0
 * @return log density
 */
real changes_lpdf(array[] matrix raw, vector log_sigma_change, real scale) {
  real total = log_scale_lpdf(log_sigma_change | scale);
  for (change in raw)
    total += spherical_lpdf(change | 1);
  return total;
}
